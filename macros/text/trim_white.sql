{% macro trim_white(text) %}
    {{- 'trim(' ~ text ~ ', ' ~ white_space() ~ ')' -}}
{% endmacro %}
