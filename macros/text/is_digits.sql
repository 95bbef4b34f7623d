{% macro is_digits(text) %}
    {{- "translate(" ~ text ~ ", '0123456789', '') = ''" -}}
{% endmacro %}
