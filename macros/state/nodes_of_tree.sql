{% macro nodes_of_tree(selected) %}
    {%- set of_dbt = context['dbt'] -%}
    {%- set versions = local_md5(
        engine_version() ~ dbt_version ~ var('environment')
        ~ of_dbt.values() | selectattr('macro', 'defined')
            | map(attribute='macro.macro_sql') | join
    )[:16] -%}
    {%- set texts = {} -%}
    {%- set names = {} -%}
    {%- set called_by_dbt = [] -%}
    {%- for name, macro in context[project_name].items() -%}
        {%- do texts.update({name: macro.macro.macro_sql}) -%}
        {#- A dispatched macro is called by its name without the engine. -#}
        {%- set base = name.split('__')[-1] -%}
        {%- do names.setdefault(name, []).append(name) -%}
        {%- if base != name -%}
            {%- do names.setdefault(base, []).append(name) -%}
        {%- endif -%}
        {%- if name in of_dbt or base in of_dbt -%}
            {%- do called_by_dbt.append(name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set always = ' ' ~ called_by_dbt | join(' ') -%}
    {%- set not_hashed = ['access', 'docs', 'group', 'meta', 'tags'] -%}

    {%- set known = {} -%}
    {%- set tree = {} -%}
    {%- set wanted = selected | select('in', graph.nodes) | list -%}
    {#- The loop also visits what it appends to the list. -#}
    {%- for unique_id in wanted if unique_id not in tree
        and graph.nodes[unique_id].resource_type
        in ['model', 'snapshot', 'seed', 'test'] -%}
        {%- set node = graph.nodes[unique_id] -%}
        {%- set parents = node.depends_on.get('nodes', []) -%}
        {%- do wanted.extend(parents | select('in', graph.nodes)) -%}
        {%- set columns = node.columns.values() -%}
        {%- if node.resource_type == 'seed' and node.checksum.name == 'path' -%}
            {%- do exceptions.raise_compiler_error(
                'The seed ' ~ node.name ~ ' is larger than 1 MiB, so dbt does not '
                ~ 'notice its changes: deliver it as a file.'
            ) -%}
        {%- endif -%}
        {%- set code = tojson([
            node.raw_code, node.schema, node.alias,
            node.config.items() | rejectattr('0', 'in', not_hashed)
                | sort(attribute='0') | list,
            node.columns | list, columns | map(attribute='data_type') | list,
            columns | map(attribute='constraints') | list, node.get('constraints'),
            node.get('test_metadata'),
            node.checksum.checksum if node.resource_type == 'seed' else none,
        ], sort_keys=true) -%}
        {#- JSON escapes them by letters, which would join the next word. -#}
        {%- set text = code | replace('\\n', ' ') | replace('\\t', ' ') -%}
        {%- set macros = macros_reached(text ~ always, texts, names, known) -%}
        {%- set variables = variables_read(node.unique_id, text) -%}
        {%- do variables.update(macros.variables) -%}
        {#- A test's description is in no table, and dbt sometimes loses it. -#}
        {%- do tree.update({node.unique_id: {
            'name': node.name,
            'kind': node.resource_type,
            'materialized': node.config.materialized,
            'relation': (node.schema ~ '.' ~ node.alias) | lower,
            'parents': parents | unique | list,
            'docs': '' if node.resource_type == 'test' else local_md5(
                node.description
                ~ tojson(columns | map(attribute='description') | list)
            ),
            'own': {
                'code': local_md5(code)[:16],
                'macros': macros.hash,
                'variables': local_md5(tojson(variables, sort_keys=true))[:16],
                'versions': versions,
            },
        }}) -%}
    {%- endfor -%}
    {{- return(tree) -}}
{% endmacro %}
