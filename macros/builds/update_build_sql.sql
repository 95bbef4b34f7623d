{% macro update_build_sql(builds, reasons, results, newest_load_id) %}
    {%- set published = [] -%}
    {%- for node in graph.nodes.values()
        if node.resource_type == 'model' and node.fqn[1] == 'marts' -%}
        {%- set ignored = [] -%}
        {%- for column in node.columns.values()
            if column.config.meta.get('compare') == 'ignore' -%}
            {%- do ignored.append(column.name) -%}
        {%- endfor -%}
        {%- do published.append({
            'name': node.alias,
            'kind': 'view' if node.config.materialized == 'view' else 'table',
            'schema': node.schema,
            'ignored_columns': ignored,
            'key_columns': key_columns(node.unique_id, graph.nodes.values()),
        }) -%}
    {%- endfor -%}
    {%- set ran = results | map(attribute='node.resource_type') | list -%}
    {%- set reason = reasons | join('; ') | replace("'", "''") -%}
    {%- set on_newest_load %}load_id = {{ newest_load_id | int }}{% endset -%}

    update {{ builds }}
    set
        finished_at = cast('{{ utc_now() }}' as timestamp),
        is_complete = {{ reasons | length == 0 }} and {{ on_newest_load }},
        reason = nullif(
            '{{ reason }}'
            || case when {{ on_newest_load }} then '' else '
                {{- '; ' if reasons }}a newer load came in between' end,
            ''
        ),
        published = '{{ tojson(published | sort(attribute="name")) }}',
        tests = {{ ran | select('in', ['test', 'unit_test']) | list | length }},
        models = {{ ran | select('equalto', 'model') | list | length }}
    where invocation_id = '{{ invocation_id }}'
{% endmacro %}
