{% macro source_versions_sql() %}
    {%- set loads = source('reelhouse', 'loads').render() -%}
    {%- set load_objects = source('reelhouse', 'load_objects').render() -%}
    {%- set tables = graph.sources.values()
        | selectattr('schema', 'eq', 'raw') -%}
    with shapes as ({{ relation_shapes_sql(['raw']) }}),

    changes as (
        {% for table in tables -%}
            select
                'raw.{{ table.identifier }}' as relation,
                max(load_id) as load_id
            {% if table.source_name == 'reelhouse' -%}
                from {{ loads }}
            {%- else -%}
                from {{ load_objects }}
                where entity = '{{ table.name }}' and status <> 'refused'
            {%- endif %}
            {{ 'union all' if not loop.last }}
        {% endfor %}
    )

    select
        changes.relation,
        coalesce(loads.load_key, '') || '/' || md5(shapes.shape) as version
    from changes
    inner join shapes on changes.relation = shapes.relation
    left join {{ loads }} as loads on changes.load_id = loads.load_id
{% endmacro %}
