{% macro white_space() %}
    {{- "chr(9) || chr(10) || chr(13) || ' ' || chr(160)" -}}
{% endmacro %}
