with tags as (
    select * from {{ ref('fct_tags') }}
),

movies as (
    select * from {{ ref('int_movies_detailed') }}
),

taggers as (
    select
        movie_id,
        count(distinct user_id) as taggers
    from tags
    group by movie_id
),

counted as (
    select
        movie_id,
        tag_normalised,
        count(*) as users
    from tags
    group by movie_id, tag_normalised
),

final as (
    select
        movies.movie_id,
        counted.tag_normalised,
        counted.users,
        {{ ratio('counted.users', 'taggers.taggers') }} as share,
        cast(row_number() over (
            partition by movies.movie_id
            order by counted.users desc, counted.tag_normalised asc
        ) as bigint) as rank
    from movies
    inner join counted on movies.movie_id = counted.movie_id
    inner join taggers on movies.movie_id = taggers.movie_id
)

select * from final
