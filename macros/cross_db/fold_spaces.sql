{% macro fold_spaces(text) %}
    {{- adapter.dispatch('fold_spaces', 'reelhouse')(text) -}}
{% endmacro %}

{% macro duckdb__fold_spaces(text) %}
    {{- "regexp_replace(" ~ text ~ ", ' +', ' ', 'g')" -}}
{% endmacro %}

{% macro snowflake__fold_spaces(text) %}
    {{- "regexp_replace(" ~ text ~ ", ' +', ' ')" -}}
{% endmacro %}
