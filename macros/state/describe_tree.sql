{% macro describe_tree() %}
    {%- set tree = nodes_of_tree(graph.nodes) -%}
    {%- set versions = versions_of(tree, tree, {}, {}) -%}
    {%- set schemas = [] -%}
    {#- Reserved: these tables describe the publication. -#}
    {%- set taken = ['publication', 'publications', 'published_tables'] -%}
    {%- set tests = graph.nodes.values()
        | selectattr('resource_type', 'eq', 'test')
        | sort(attribute='unique_id') -%}
    {%- for unique_id, node in tree.items() -%}
        {%- do node.update({
            'rules': versions[unique_id].rules,
            'data': versions[unique_id].data | list,
            'own': tojson(node.own, sort_keys=true),
        }) -%}
        {%- if node.kind != 'test' -%}
            {%- do schemas.append(node.relation.split('.')[0]) -%}
        {%- endif -%}
        {%- if graph.nodes[unique_id].fqn[1] == 'marts'
            and node.kind == 'model' -%}
            {%- if not node.relation.startswith('marts.')
                or node.relation[6:] in taken or node.materialized == 'ephemeral' -%}
                {%- do exceptions.raise_compiler_error(
                    node.name ~ ' cannot be published as ' ~ node.relation ~ ' ('
                    ~ node.materialized ~ '): make it a table or view in the schema '
                    ~ 'marts, not named ' ~ taken | join(', ')
                    ~ ', or move its file out of models/marts.'
                ) -%}
            {%- endif -%}
            {%- set ignored = [] -%}
            {%- for column in graph.nodes[unique_id].columns.values()
                if column.config.meta.get('compare') == 'ignore' -%}
                {%- do ignored.append(column.name | lower) -%}
            {%- endfor -%}
            {%- do node.update({'published': {
                'ignored_columns': ignored,
                'key_columns': key_columns(unique_id, tests),
            }}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do log(tojson({
        'nodes': tree,
        'ledger_columns': ledger_columns() | list,
        'source_versions_sql': source_versions_sql(),
        'relation_shapes_sql': relation_shapes_sql(schemas | unique | list),
    }), info=true) -%}
{% endmacro %}
