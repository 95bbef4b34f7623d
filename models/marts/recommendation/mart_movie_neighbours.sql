with likes as (
    select * from {{ ref('int_likes_limited') }}
),

liked_movies as (
    select
        movie_id,
        count(*) as like_count
    from likes
    group by movie_id
),

pairs as (
    select
        likes.movie_id,
        other_likes.movie_id as neighbour_movie_id,
        count(*) as common_users
    from likes
    inner join likes as other_likes
        on
            likes.user_id = other_likes.user_id
            and likes.movie_id < other_likes.movie_id
    group by likes.movie_id, other_likes.movie_id
),

both_ways as (
    select
        movie_id,
        neighbour_movie_id,
        common_users
    from pairs
    union all
    select
        neighbour_movie_id as movie_id,
        movie_id as neighbour_movie_id,
        common_users
    from pairs
),

compared as (
    select
        both_ways.movie_id,
        both_ways.neighbour_movie_id,
        both_ways.common_users,
        {{ ratio(
            'both_ways.common_users * both_ways.common_users',
            'sqrt(cast(liked_movies.like_count * neighbours.like_count as '
            ~ 'double)) * (both_ways.common_users + 20)'
        ) }} as similarity
    from both_ways
    inner join liked_movies on both_ways.movie_id = liked_movies.movie_id
    inner join liked_movies as neighbours
        on both_ways.neighbour_movie_id = neighbours.movie_id
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
