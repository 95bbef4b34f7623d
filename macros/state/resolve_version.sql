{% macro resolve_version(unique_id, tree, selected, rows, versions) %}
    {%- if unique_id in versions or unique_id not in tree -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set node = tree[unique_id] -%}
    {%- set row = rows.get(unique_id) -%}
    {%- set has_rows = node.materialized in ['table', 'incremental', 'seed'] -%}
    {%- set is_snapshot = node.materialized == 'snapshot' -%}
    {%- set own = tojson(node.own) -%}
    {%- if unique_id not in selected and not is_snapshot
        and node.materialized != 'ephemeral' -%}
        {%- if has_rows or not row -%}
            {%- do versions.update({unique_id: row}) -%}
            {{- return(none) -}}
        {%- endif -%}
        {%- set own = row.own -%}
    {%- endif -%}

    {%- set rules = [own] -%}
    {%- set data = {} -%}
    {%- for parent in node.parents | sort -%}
        {%- do resolve_version(parent, tree, selected, rows, versions) -%}
        {%- if not versions.get(parent) -%}
            {%- do versions.update({
                unique_id: row if is_snapshot else none
            }) -%}
            {{- return(none) -}}
        {%- endif -%}
        {%- do rules.append(versions[parent].rules) -%}
        {%- do data.update(versions[parent].data) -%}
    {%- endfor -%}
    {%- set version = {'rules': local_md5(rules | join(' ')), 'data': data} -%}
    {%- if is_snapshot and unique_id not in selected -%}
        {#- Until it is recorded, only views of it can be up to date. -#}
        {%- do data.update({node.relation: ''}) -%}
        {%- if row and row.rules == version.rules -%}
            {%- set version = row -%}
        {%- endif -%}
    {%- elif is_snapshot -%}
        {#- A snapshot holds its old rows and what this recording adds. -#}
        {%- set recording = row.data.get(node.relation) if row else none -%}
        {%- do data.update({node.relation: recording}) -%}
        {%- if not row or row.rules != version.rules or row.data != data -%}
            {%- do data.update({node.relation: invocation_id}) -%}
        {%- endif -%}
    {%- endif -%}
    {%- do versions.update({unique_id: version}) -%}
{% endmacro %}
