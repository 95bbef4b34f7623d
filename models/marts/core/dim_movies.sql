with movies as (
    select * from {{ ref('int_movies_parsed') }}
),

genres as (
    select * from {{ ref('int_genres_exploded') }}
),

links as (
    select * from {{ ref('int_links_deduplicated') }}
),

inferred_movies as (
    select * from {{ ref('int_movies_inferred') }}
),

genre_counts as (
    select
        movie_id,
        count(*) as genre_count
    from genres
    group by movie_id
),

all_movies as (
    select
        movie_id,
        title,
        title_without_year,
        release_year,
        genres,
        previous_title,
        is_deleted,
        false as is_inferred
    from movies
    union all
    select
        movie_id,
        null as title,
        null as title_without_year,
        null as release_year,
        null as genres,
        null as previous_title,
        false as is_deleted,
        true as is_inferred
    from inferred_movies
    where not exists (
        select 1
        from movies
        where movies.movie_id = inferred_movies.movie_id
    )
),

final as (
    select
        all_movies.movie_id,
        all_movies.is_deleted,
        all_movies.is_inferred,
        links.imdb_id,
        links.tmdb_id,
        cast(all_movies.title as varchar) as title,
        cast(all_movies.title_without_year as varchar) as title_without_year,
        cast(all_movies.release_year as integer) as release_year,
        cast(all_movies.genres as varchar) as genres,
        cast(all_movies.previous_title as varchar) as previous_title,
        cast(genre_counts.genre_count as bigint) as genre_count,
        'https://www.imdb.com/title/tt' || links.imdb_id || '/' as imdb_url,
        'https://www.themoviedb.org/movie/' || links.tmdb_id as tmdb_url
    from all_movies
    left join genre_counts on all_movies.movie_id = genre_counts.movie_id
    left join links on all_movies.movie_id = links.movie_id
)

select * from final
