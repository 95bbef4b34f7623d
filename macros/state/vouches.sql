{% macro vouches() %}
    {{- return(invocation_args_dict.which in
        ['build', 'run', 'seed', 'snapshot', 'test', 'retry']) -}}
{% endmacro %}
