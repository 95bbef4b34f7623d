{% macro open_rows(selected, versions, rows, load) %}
    {%- set ledger = source('state', 'nodes').render() -%}
    {%- set values = [] -%}
    {%- for unique_id, node in selected.items()
        if node.materialized != 'ephemeral' -%}
        {%- set version = versions[unique_id] or {'rules': '', 'data': {}} -%}
        {%- set texts = [] -%}
        {%- for text in [
            unique_id, tojson(node.own, sort_keys=true), node.docs,
            version.rules, tojson(version.data, sort_keys=true),
            'running', invocation_id,
        ] -%}
            {%- do texts.append("'" ~ text | replace("'", "''") ~ "'") -%}
        {%- endfor -%}
        {%- do values.append('(' ~ (texts + [
            'true' if is_made_whole(node, version, rows.get(unique_id))
            else 'false'
        ]) | join(', ') ~ ')') -%}
    {%- endfor -%}
    {%- if values -%}
        {%- do run_query(
            'delete from ' ~ ledger ~ " where node in ('"
            ~ selected | join("', '") ~ "')"
        ) -%}
        {%- set adding -%}
            insert into {{ ledger }} (
                node, own, docs, rules, data, result, invocation_id, is_whole,
                sequence, load_id, loaded_at
            )
            select
                opened.*,
                (select coalesce(max(sequence), 0) + 1 from {{ ledger }}),
                {% if load -%}
                    {{ load }},
                    (
                        select loaded_at
                        from {{ source('reelhouse', 'loads').render() }}
                        where load_id = {{ load }}
                    )
                {%- else -%}
                    null, null
                {%- endif %}
            from (values {{ values | join(', ') }}) as opened
        {%- endset -%}
        {%- do run_query(adding) -%}
    {%- endif -%}
{% endmacro %}
