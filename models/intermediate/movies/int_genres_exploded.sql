with movies as (
    select * from {{ ref('int_movies_deduplicated') }}
),

words as (
    select
        movies.movie_id,
        {{ trim_white('cast(words.value as varchar)') }} as genre
    from movies
    {{ split_rows('movies.genres', '|', 'words') }}
),

listed as (
    select
        movie_id,
        genre
    from words
    where genre not in ('', '(no genres listed)')
    group by movie_id, genre
),

completed as (
    select
        movies.movie_id,
        coalesce(listed.genre, '(no genres listed)') as genre,
        count(*) over (partition by movies.movie_id) as genre_count
    from movies
    left join listed on movies.movie_id = listed.movie_id
),

weighted as (
    select
        movie_id,
        genre,
        genre_count,
        {{ ratio('1', 'genre_count') }} as genre_weight,
        {{ weight_units('genre_count') }} as weight_units
    from completed
)

select * from weighted
