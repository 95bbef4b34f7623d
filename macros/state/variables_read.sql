{% macro variables_read(where, text) %}
    {%- set values = {} -%}
    {%- for quoted, name in modules.re.findall(
        '\\bvar\\(\\s*(\\\\?[\'"])?(\\w*)', text
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
