{% macro builds_relation() %}
    {{- return(api.Relation.create(
        database=target.database,
        schema=generate_schema_name('marts', none),
        identifier='builds'
    )) -}}
{% endmacro %}
