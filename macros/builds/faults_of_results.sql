{% macro faults_of_results(results) %}
    {%- set passed = [] -%}
    {%- set failed = [] -%}
    {%- for result in results -%}
        {%- if result.status | string in ['success', 'pass', 'warn'] -%}
            {%- do passed.append(result.node.unique_id) -%}
        {#- Exposures are not built; a node left out is missed below. -#}
        {%- elif result.status | string not in ['skipped', 'no-op'] -%}
            {%- do failed.append(result.node) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set failed_ids = failed | map(attribute='unique_id') | list -%}

    {%- set missing = [] -%}
    {%- for node in graph.nodes.values()
        if node.resource_type in ['model', 'seed', 'snapshot', 'test']
        and node.config.materialized != 'ephemeral'
        and node.unique_id not in passed + failed_ids -%}
        {%- do missing.append(node) -%}
    {%- endfor -%}

    {%- set faults = [] -%}
    {%- for fault, nodes in [('failed', failed), ('not run', missing)]
        if nodes -%}
        {%- set names = nodes | map(attribute='name') | sort -%}
        {%- set more = names | length - 3 -%}
        {%- do faults.append(
            fault ~ ': ' ~ names[:3] | join(', ')
            ~ (' and ' ~ more ~ ' more' if more > 0 else '')
        ) -%}
    {%- endfor -%}
    {{- return(faults) -}}
{% endmacro %}
