{% macro trusted_rows(tree, shapes) %}
    {%- set found = {} -%}
    {%- for row in run_query(
        'select node, own, rules, data, shape, row_count from '
        ~ source('state', 'nodes').render() ~ " where result <> 'running'"
    ).rows if row[0] in tree
        and (row[4] is none or row[4] == shapes.get(tree[row[0]].relation)) -%}
        {%- do found.update({row[0]: {
            'own': row[1], 'rules': row[2], 'data': fromjson(row[3]),
            'row_count': row[5],
        }}) -%}
    {%- endfor -%}
    {%- set counted = [] -%}
    {%- for unique_id, row in found.items() if row.row_count is not none -%}
        {%- do counted.append(tree[unique_id].relation) -%}
    {%- endfor -%}
    {%- set counts = row_counts(counted) -%}
    {%- set trusted = {} -%}
    {%- for unique_id, row in found.items()
        if row.row_count is none
        or row.row_count | int == counts[tree[unique_id].relation] -%}
        {%- do trusted.update({unique_id: row}) -%}
    {%- endfor -%}
    {{- return(trusted) -}}
{% endmacro %}
