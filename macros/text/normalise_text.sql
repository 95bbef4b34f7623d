{% macro normalise_text(text) %}
    {%- set spaced -%}
        translate({{ text }}, {{ white_space() }}, '     ')
    {%- endset -%}
    {{- 'lower(trim(' ~ fold_spaces(spaced) ~ '))' -}}
{% endmacro %}
