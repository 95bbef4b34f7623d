{% macro is_made_whole(node, version, row) %}
    {%- if node.materialized != 'incremental' or flags.FULL_REFRESH -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- if not row or row.rules != version.rules
        or row.data | list | sort != version.data | list | sort -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- set keys = run_query(
        'select load_key from ' ~ source('reelhouse', 'loads').render()
    ).columns[0].values() -%}
    {%- for relation, seen in row.data.items() -%}
        {#- For a raw table: the last load that changed it, and its columns. -#}
        {%- set now = version.data[relation] -%}
        {%- if seen != now and (
            seen.split('/')[1:] != now.split('/')[1:]
            or seen.split('/')[0] not in keys
        ) -%}
            {{- return(true) -}}
        {%- endif -%}
    {%- endfor -%}
    {{- return(false) -}}
{% endmacro %}
