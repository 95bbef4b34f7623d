{% macro should_full_refresh() %}
    {%- set wanted = config.get('full_refresh') -%}
    {%- if wanted is none -%}
        {%- set wanted = flags.FULL_REFRESH -%}
    {%- endif -%}
    {%- if execute and wanted is not true and vouches()
        and model.config.materialized == 'incremental' -%}
        {%- set opened = run_query(
            'select is_whole from ' ~ source('state', 'nodes').render()
            ~ " where node = '" ~ model.unique_id
            ~ "' and invocation_id = '" ~ invocation_id ~ "'"
        ) -%}
        {%- for row in opened.rows -%}
            {{- return(row[0]) -}}
        {%- endfor -%}
    {%- endif -%}
    {{- return(wanted) -}}
{% endmacro %}
