{% macro check_variables() %}
    {%- set whole_numbers = {
        'bayesian_prior_count': 0,
        'first_release_year': 1000,
        'last_release_year': 1000,
        'min_genre_ratings': 0,
        'min_link_ratings': 0,
        'min_momentum_ratings': 1,
        'min_movie_ratings': 0,
        'min_tagged_movies': 0,
        'neighbour_likes': 1,
        'neighbour_movies': 1,
        'top_n_tags': 1,
    } -%}
    {%- if var('as_of_load_id') is not none -%}
        {%- do whole_numbers.update({'as_of_load_id': 1}) -%}
    {%- endif -%}

    {%- set wanted = {} -%}
    {%- for name, least in whole_numbers.items() -%}
        {%- set value = var(name) -%}
        {%- if value is not integer or value is boolean or value < least -%}
            {%- do wanted.update({name: 'a whole number from ' ~ least}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in ['momentum_falling_factor', 'momentum_rising_factor'] -%}
        {%- set value = var(name) -%}
        {%- if value is not number or value is boolean or value <= 0 -%}
            {%- do wanted.update({name: 'a number above 0'}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set two = '[0-9]{2}' -%}
    {%- set moment = '[0-9]{4}-' ~ two ~ '-' ~ two
        ~ '( ' ~ two ~ ':' ~ two ~ ':' ~ two ~ ')?' -%}
    {%- if var('min_rated_at') is not none
        and not modules.re.fullmatch(moment, var('min_rated_at') | string) -%}
        {%- do wanted.update(
            {'min_rated_at': "a UTC moment such as '2010-01-01 12:00:00'"}
        ) -%}
    {%- endif -%}

    {%- set wrong = [] -%}
    {%- for name, what in wanted.items() -%}
        {%- do wrong.append(name ~ " is '" ~ var(name) ~ "': write " ~ what) -%}
    {%- endfor -%}
    {%- if wrong -%}
        {%- do exceptions.raise_compiler_error(
            'The variable ' ~ wrong | join('; ')
            ~ ' (--vars, or vars in dbt_project.yml).'
        ) -%}
    {%- endif -%}
{% endmacro %}
