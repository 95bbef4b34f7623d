{# Counts up to 2,048 times 2,048 pairs of movies in an array, by position. #}
{{ config(pre_hook="{{ group_in_array(22) }}") }}

with likes as (
    select * from {{ ref('int_likes_limited') }}
),

liked_movies as (
    select
        movie_number,
        movie_id,
        count(*) as like_count
    from likes
    group by movie_number, movie_id
),

pairs as (
    select
        likes.movie_number,
        other_likes.movie_number as neighbour_number,
        count(*) as common_users
    from likes
    inner join likes as other_likes
        on
            likes.user_id = other_likes.user_id
            and likes.movie_number < other_likes.movie_number
    group by likes.movie_number, other_likes.movie_number
),

both_ways as (
    select
        movie_number,
        neighbour_number,
        common_users
    from pairs
    union all
    select
        neighbour_number as movie_number,
        movie_number as neighbour_number,
        common_users
    from pairs
),

compared as (
    select
        liked_movies.movie_id,
        neighbours.movie_id as neighbour_movie_id,
        both_ways.common_users,
        {{ ratio(
            'both_ways.common_users * both_ways.common_users',
            'sqrt(cast(liked_movies.like_count * neighbours.like_count as '
            ~ 'double)) * (both_ways.common_users + 20)'
        ) }} as similarity
    from both_ways
    inner join liked_movies
        on both_ways.movie_number = liked_movies.movie_number
    inner join liked_movies as neighbours
        on both_ways.neighbour_number = neighbours.movie_number
),

ranked as (
    select
        *,
        row_number() over (
            partition by movie_id
            order by
                similarity desc, common_users desc, neighbour_movie_id asc
        ) as rank
    from compared
),

final as (
    select
        movie_id,
        neighbour_movie_id,
        similarity,
        cast(rank as bigint) as rank,
        cast(common_users as bigint) as common_users
    from ranked
    where rank <= 10
)

select * from final
