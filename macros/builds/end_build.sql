{% macro end_build(results) %}
    {%- if execute and writes_tables() -%}
        {%- set reasons = [] -%}
        {%- if invocation_args_dict.which != 'build' -%}
            {%- do reasons.append(
                'the command was ' ~ invocation_args_dict.which ~ ', not build'
            ) -%}
        {%- endif -%}
        {%- for flag in ['empty', 'defer', 'sample'] -%}
            {%- if invocation_args_dict.get(flag) -%}
                {%- do reasons.append('it ran with --' ~ flag) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do reasons.extend(faults_of_results(results)) -%}
        {%- do run_query(update_build_sql(
            builds_relation(), reasons, results, last_load_id()
        )) -%}
    {%- endif -%}
{% endmacro %}
