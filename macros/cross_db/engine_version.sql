{% macro engine_version() %}
    {{- return(adapter.dispatch('engine_version', 'reelhouse')()) -}}
{% endmacro %}

{% macro duckdb__engine_version() %}
    {{- return(run_query('select version()').columns[0].values()[0]) -}}
{% endmacro %}

{% macro snowflake__engine_version() %}
    {{- return('') -}}
{% endmacro %}
