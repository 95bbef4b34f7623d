{% macro year_of_group(group) -%}
    {%- set range_end = trim_white('substr(' ~ group ~ ', 5)') -%}
    {%- set end_year = trim_white('substr(' ~ range_end ~ ', 2)') -%}
    case
        when
            length({{ group }}) >= 4
            and {{ is_digits('left(' ~ group ~ ', 4)') }}
            and left({{ group }}, 4) >= '{{ var("first_release_year") }}'
            and left({{ group }}, 4) <= '{{ var("last_release_year") }}'
            and (
                {{ range_end }} = ''
                or (
                    left({{ range_end }}, 1) in ('-', '–', '—')
                    and {{ is_digits(end_year) }}
                )
            )
            then left({{ group }}, 4)
    end
{%- endmacro %}
