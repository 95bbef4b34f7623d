{% macro iso_day_of_week(day) %}
    {{- adapter.dispatch('iso_day_of_week', 'reelhouse')(day) -}}
{% endmacro %}

{% macro duckdb__iso_day_of_week(day) %}
    {{- 'cast(isodow(' ~ day ~ ') as integer)' -}}
{% endmacro %}

{% macro snowflake__iso_day_of_week(day) %}
    {{- 'cast(dayofweekiso(' ~ day ~ ') as integer)' -}}
{% endmacro %}
