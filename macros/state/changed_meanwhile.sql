{% macro changed_meanwhile(opened) %}
    {%- set changed = [] -%}
    {%- set sources = source_versions() if newest_load() else {} -%}
    {%- for unique_id, version in opened.items()
        if graph.nodes[unique_id].config.materialized != 'view' -%}
        {#- A view has no rows of its own, and may read an older load. -#}
        {%- for relation, seen in version.data.items()
            if relation in sources and sources[relation] != seen -%}
            {%- do changed.append(unique_id) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set ledger = source('state', 'nodes').render() -%}
    {%- set others = run_query(
        'select node from ' ~ ledger ~ " where invocation_id <> '"
        ~ invocation_id ~ "' and sequence >= (select max(sequence) from "
        ~ ledger ~ " where invocation_id = '" ~ invocation_id ~ "')"
    ).columns[0].values() -%}
    {%- if others -%}
        {#- A build at the same time may have changed what this one read. -#}
        {%- set tree = nodes_of_tree(opened) -%}
        {%- for unique_id in opened -%}
            {%- set read = [unique_id] -%}
            {%- for each in read if each in tree -%}
                {%- do read.extend(tree[each].parents | reject('in', read)) -%}
            {%- endfor -%}
            {%- if read | select('in', others) | list -%}
                {%- do changed.append(unique_id) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(changed) -}}
{% endmacro %}
