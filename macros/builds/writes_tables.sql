{% macro writes_tables() %}
    {{- return(invocation_args_dict.which not in ['test', 'compile', 'show',
        'generate', 'list', 'parse', 'run-operation', 'freshness']) -}}
{% endmacro %}
