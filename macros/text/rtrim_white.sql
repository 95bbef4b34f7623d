{% macro rtrim_white(text, also='') %}
    {{- 'rtrim(' ~ text ~ ', ' ~ white_space() ~ " || '" ~ also ~ "')" -}}
{% endmacro %}
