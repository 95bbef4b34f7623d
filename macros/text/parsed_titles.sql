{% macro parsed_titles(movies) %}
    with opened as (
        select
            movie_id,
            title,
            genres,
            {{ rtrim_white('title', ')') }} as opened_title
        from {{ movies }}
    ),

    grouped as (
        select
            *,
            {{ dbt.split_part('opened_title', "'('", -1) }} as last_part
        from opened
    ),

    dated as (
        select
            *,
            case
                when right(title, 1) = ')' and opened_title != last_part
                    then {{ year_of_group(trim_white('last_part')) }}
            end as year_text
        from grouped
    ),

    cut as (
        select
            *,
            {{ trim_white(
                'left(opened_title, length(opened_title) '
                ~ '- length(last_part) - 1)'
            ) }} as title_before
        from dated
        where year_text is not null
    ),

    cut_twice as (
        select
            movie_id,
            case
                when right(title_before, 6) = '(' || year_text || ')'
                    then {{ trim_white(
                        'left(title_before, length(title_before) - 6)'
                    ) }}
                else title_before
            end as title_before
        from cut
    )

    select
        dated.movie_id,
        dated.title,
        dated.genres,
        cast(dated.year_text as integer) as release_year,
        coalesce(nullif(cut_twice.title_before, ''), dated.title)
            as title_without_year
    from dated
    left join cut_twice on dated.movie_id = cut_twice.movie_id
{% endmacro %}
