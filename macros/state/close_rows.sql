{% macro close_rows(made) %}
    {%- set ledger = source('state', 'nodes').render() -%}
    {%- set mine = " where invocation_id = '" ~ invocation_id ~ "'" -%}
    {%- set nodes = {} -%}
    {%- for unique_id in made -%}
        {%- set node = graph.nodes[unique_id] -%}
        {%- if node.resource_type != 'test' -%}
            {%- do nodes.update({unique_id: {
                'kind': node.resource_type,
                'relation': (node.schema ~ '.' ~ node.alias) | lower,
                'has_rows': node.config.materialized != 'view',
            }}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set shapes = relation_shapes(nodes) -%}
    {%- set counts = row_counts(
        nodes.values() | selectattr('has_rows') | map(attribute='relation')
    ) -%}
    {%- set values = [] -%}
    {%- for unique_id, result in made.items() -%}
        {%- set relation = nodes.get(unique_id, {}).relation -%}
        {%- do values.append(
            "('" ~ unique_id ~ "', '" ~ result ~ "', "
            ~ ("'" ~ shapes[relation] | replace("'", "''") ~ "'"
                if relation in shapes else 'cast(null as varchar)') ~ ', '
            ~ counts.get(relation, 'cast(null as bigint)') ~ ')'
        ) -%}
    {%- endfor -%}
    {%- if values -%}
        {%- do run_query(
            'update ' ~ ledger
            ~ ' set result = made.result, shape = made.shape, '
            ~ 'row_count = made.row_count from (values '
            ~ values | join(', ')
            ~ ') as made (node, result, shape, row_count) '
            ~ 'where nodes.node = made.node and nodes.invocation_id = '
            ~ "'" ~ invocation_id ~ "'"
        ) -%}
    {%- endif -%}
    {%- do run_query(
        'delete from ' ~ ledger ~ mine ~ " and result = 'running'"
    ) -%}
{% endmacro %}
