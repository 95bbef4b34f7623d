with neighbours as (
    select * from {{ ref('mart_movie_neighbours') }}
),

likes as (
    select * from {{ ref('int_likes_limited') }}
),

liked_movies as (
    select
        movie_id,
        count(*) as like_count
    from likes
    group by movie_id
),

-- All pairs of the movies with most likes: pairs of all movies are too many.
few_movies as (
    select
        movie_id,
        like_count
    from liked_movies
    {{ top_n(20, ['like_count desc', 'movie_id asc']) }}
),

common as (
    select
        few_movies.movie_id,
        other_likes.movie_id as neighbour_movie_id,
        count(*) as common_users
    from few_movies
    inner join likes on few_movies.movie_id = likes.movie_id
    inner join likes as other_likes
        on likes.user_id = other_likes.user_id
    where few_movies.movie_id != other_likes.movie_id
    group by few_movies.movie_id, other_likes.movie_id
),

compared as (
    select
        common.movie_id,
        common.neighbour_movie_id,
        common.common_users,
        {{ ratio('common.common_users', 'common.common_users + 20') }}
        * {{ ratio(
            'common.common_users',
            'sqrt(cast(few_movies.like_count * other_movies.like_count '
            ~ 'as double))'
        ) }} as similarity
    from common
    inner join few_movies on common.movie_id = few_movies.movie_id
    inner join liked_movies as other_movies
        on common.neighbour_movie_id = other_movies.movie_id
),

thresholds as (
    select
        movie_id,
        count(*) as places,
        min(similarity) as least_similarity
    from neighbours
    group by movie_id
),

wrong as (
    select
        compared.movie_id,
        compared.neighbour_movie_id
    from compared
    left join thresholds on compared.movie_id = thresholds.movie_id
    left join neighbours
        on
            compared.movie_id = neighbours.movie_id
            and compared.neighbour_movie_id = neighbours.neighbour_movie_id
    where
        (
            neighbours.movie_id is null
            and (
                coalesce(thresholds.places, 0) < 10
                or compared.similarity > thresholds.least_similarity + 1e-12
            )
        )
        or abs(compared.similarity - neighbours.similarity) > 1e-12
        or compared.common_users != neighbours.common_users
),

misplaced as (
    select
        movie_id,
        max(neighbour_movie_id) as last_neighbour_movie_id
    from neighbours
    group by movie_id
    having
        max(rank) != count(*)
        or max(rank) > 10
        or min(rank) != 1
        or count(distinct neighbour_movie_id) != count(*)
        or max(case when movie_id = neighbour_movie_id then 1 else 0 end) = 1
        or max(similarity) != max(case when rank = 1 then similarity end)
        or min(similarity) <= 0
        or max(similarity) >= 1
),

failures as (
    select * from wrong
    union all
    select * from misplaced
)

select * from failures
