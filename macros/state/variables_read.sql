{% macro variables_read(where, text) %}
    {%- set values = {} -%}
    {%- if modules.re.search('\\benv_var\\s*\\(', text) -%}
        {%- do exceptions.raise_compiler_error(
            'An environment variable is read in ' ~ where ~ ', so changes of its '
            ~ 'value go unnoticed: read a variable of dbt_project.yml instead.'
        ) -%}
    {%- endif -%}
    {%- for quoted, name in modules.re.findall(
        '\\bvar\\s*\\(\\s*(\\\\?[\'"])?(\\w*)', text
    ) if name != 'as_of_load_id' -%}
        {%- if not quoted -%}
            {%- do exceptions.raise_compiler_error(
                'The name of a variable is computed in ' ~ where ~ ', so '
                ~ 'changes of its value go unnoticed: write the name in quotes.'
            ) -%}
        {%- endif -%}
        {%- do values.update({name: var(name, none)}) -%}
    {%- endfor -%}
    {{- return(values) -}}
{% endmacro %}
