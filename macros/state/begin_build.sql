{% macro begin_build() %}
    {%- if execute and vouches() -%}
        {%- do check_variables() -%}
        {%- set tree = nodes_of_tree(selected_resources or graph.nodes) -%}
        {%- set selected = {} -%}
        {%- set others = [] -%}
        {%- for unique_id in selected_resources -%}
            {%- if unique_id in tree -%}
                {%- do selected.update({unique_id: tree[unique_id]}) -%}
            {%- else -%}
                {%- do others.append(unique_id) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set load = newest_load() -%}
        {%- if load is none -%}
            {%- do refuse_without_load(selected, others) -%}
        {%- endif -%}
        {%- do create_ledger() -%}
        {%- do make_snapshot_tables() -%}
        {%- set shapes = relation_shapes(tree) -%}
        {%- set rows = trusted_rows(tree, shapes) -%}
        {%- set sources = source_versions() if load else {} -%}
        {%- if not selected_resources -%}
            {#- `dbt retry` does not list the nodes that it will build. -#}
            {%- do selected.update(out_of_date(tree, rows, sources)) -%}
        {%- endif -%}
        {%- do protect_history(selected, shapes) -%}
        {%- set versions = versions_of(tree, selected, rows, sources) -%}
        {%- do open_rows(selected, versions, rows, load) -%}
    {%- endif -%}
{% endmacro %}
