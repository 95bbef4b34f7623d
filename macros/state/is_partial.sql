{% macro is_partial() %}
    {{- return(
        var('as_of_load_id') is not none
        or invocation_args_dict.get('empty')
        or invocation_args_dict.get('defer')
        or invocation_args_dict.get('sample')
    ) -}}
{% endmacro %}
