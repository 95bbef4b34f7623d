{% macro variables_read(where, text) %}
    {%- set values = {} -%}
    {%- if modules.re.search('\\benv_var\\s*\\(', text) -%}
        {%- do exceptions.raise_compiler_error(
            'An environment variable is read, so that nobody can tell when its '
            ~ 'value changes: read a variable of dbt_project.yml, in ' ~ where ~ '.'
        ) -%}
    {%- endif -%}
    {%- for quoted, name in modules.re.findall(
        '\\bvar\\s*\\(\\s*(\\\\?[\'"])?(\\w*)', text
    ) if name != 'as_of_load_id' -%}
        {%- if not quoted -%}
            {%- do exceptions.raise_compiler_error(
                'A variable is read by a name that is computed, so that nobody '
                ~ 'can tell when its value changes: write the name in quotes, '
                ~ 'in ' ~ where ~ '.'
            ) -%}
        {%- endif -%}
        {%- do values.update({name: var(name, none)}) -%}
    {%- endfor -%}
    {{- return(values) -}}
{% endmacro %}
