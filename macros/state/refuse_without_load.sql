{% macro refuse_without_load(selected, others) %}
    {%- set needing = others + selected.values()
        | rejectattr('kind', 'eq', 'seed') | map(attribute='name') | list -%}
    {%- if needing -%}
        {%- do exceptions.raise_compiler_error(
            'Nothing is loaded yet, so there is nothing to build from. '
            ~ 'Run `reelhouse load` to load the files, or `reelhouse run` '
            ~ 'to load, build and publish.'
        ) -%}
    {%- endif -%}
{% endmacro %}
