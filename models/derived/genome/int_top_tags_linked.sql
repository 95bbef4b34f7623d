with top_tags as (
    select * from {{ ref('int_top_tags_ranked') }}
),

ratings as (
    select * from {{ ref('int_ratings_summed_by_movie') }}
),

linked as (
    select
        top_tags.movie_id,
        top_tags.tag_id,
        top_tags.tag,
        ratings.rating_count,
        ratings.rating_tenths_sum
    from top_tags
    inner join ratings on top_tags.movie_id = ratings.movie_id
    where ratings.rating_count >= {{ var('min_link_ratings') }}
)

select * from linked
