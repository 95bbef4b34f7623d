{% macro normalise_text(text) %}
    {%- set spaced = "translate(" ~ text ~ ", " ~ white_space() ~ ", '     ')" -%}
    {{- 'lower(trim(' ~ fold_spaces(spaced) ~ '))' -}}
{% endmacro %}
