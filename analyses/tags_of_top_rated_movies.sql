with performance as (
    select * from {{ ref('mart_movie_performance') }}
),

profiles as (
    select * from {{ ref('mart_movie_tag_profile') }}
),

-- Of the movies with scores, so that there are twenty with tags.
top_rated as (
    select
        performance.movie_id,
        performance.title,
        performance.bayesian_rating,
        performance.rating_count,
        profiles.top_tag,
        profiles.top_tags,
        row_number() over (
            order by
                performance.bayesian_rating desc,
                performance.rating_count desc, performance.movie_id asc
        ) as rank
    from performance
    inner join profiles on performance.movie_id = profiles.movie_id
    where performance.has_enough_ratings
    {{ top_n(
        20,
        [
            'performance.bayesian_rating desc', 'performance.rating_count desc',
            'performance.movie_id asc'
        ]
    ) }}
)

select * from top_rated
