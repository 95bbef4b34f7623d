{% macro group_in_array(bits) %}
    {{- adapter.dispatch('group_in_array', 'reelhouse')(bits) -}}
{% endmacro %}

{% macro duckdb__group_in_array(bits) %}
    {{- 'set perfect_ht_threshold = ' ~ bits -}}
{% endmacro %}

{% macro snowflake__group_in_array(bits) %}
{% endmacro %}
