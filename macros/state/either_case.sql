{% macro either_case(names) %}
    {{- "('" ~ (names + names | map('upper') | list) | unique(true) | join("', '") ~ "')" -}}
{% endmacro %}
