{% macro protect_history(selected, shapes) %}
    {%- set load_id = var('as_of_load_id') -%}
    {%- set is_cut = invocation_args_dict.get('empty')
        or invocation_args_dict.get('sample') -%}
    {%- for node in selected.values()
        if node.materialized == 'snapshot' and node.relation in shapes
        and (load_id is not none or is_cut) -%}
        {%- set harmed -%}
            select count(*) as harmed
            from {{ target.database }}.{{ node.relation }}
            {% if not is_cut -%}
                {#- Without such a load, all of history is later. #}
                where coalesce(dbt_valid_from > (
                    select max(loaded_at)
                    from {{ source('reelhouse', 'loads').render() }}
                    where load_id <= {{ load_id | int }}
                ), true)
            {%- endif %}
        {%- endset -%}
        {%- if run_query(harmed).columns[0].values()[0] > 0 -%}
            {%- do exceptions.raise_compiler_error(
                node.name ~ ' holds history, and rows that are left out now '
                ~ 'would be recorded as deleted: add '
                ~ '`--exclude-resource-type snapshot`.'
                if is_cut else
                node.name ~ ' already has changes from after load ' ~ load_id
                ~ ', so the variable as_of_load_id would damage it: '
                ~ '`reelhouse run --rebuild` records history from the start.'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
