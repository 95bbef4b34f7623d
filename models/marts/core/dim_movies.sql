{{ config(materialized='view') }}

with current_movies as (
    select * from {{ ref('int_movies_detailed') }}
),

last_versions as (
    select * from {{ ref('dim_movies_history') }}
    where is_current
),

inferred_movies as (
    select * from {{ ref('int_movies_inferred') }}
),

links as (
    select * from {{ ref('int_links_deduplicated') }}
),

deleted_movies as (
    select *
    from last_versions
    where not exists (
        select 1
        from current_movies
        where current_movies.movie_id = last_versions.movie_id
    )
),

parsed_deleted_movies as (
    {{ parsed_titles('deleted_movies') }}
),

known_movies as (
    select
        movie_id,
        title,
        title_without_year,
        release_year,
        genres,
        genre_count,
        false as is_deleted
    from current_movies
    union all
    select
        movie_id,
        title,
        title_without_year,
        release_year,
        genres,
        null as genre_count,
        true as is_deleted
    from parsed_deleted_movies
),

all_movies as (
    select
        known_movies.*,
        coalesce(known_movies.movie_id, inferred_movies.movie_id) as any_id,
        known_movies.movie_id is null as is_inferred
    from known_movies
    full outer join inferred_movies
        on known_movies.movie_id = inferred_movies.movie_id
),

described as (
    select
        all_movies.*,
        last_versions.previous_title,
        last_versions.first_loaded_at,
        links.imdb_id,
        links.tmdb_id,
        'https://www.imdb.com/title/tt' || links.imdb_id || '/' as imdb_url,
        'https://www.themoviedb.org/movie/' || links.tmdb_id as tmdb_url,
        coalesce(all_movies.is_deleted, false) as is_gone
    from all_movies
    left join last_versions on all_movies.any_id = last_versions.movie_id
    left join links on all_movies.any_id = links.movie_id
),

final as (
    select
        any_id as movie_id,
        title,
        title_without_year,
        release_year,
        genres,
        genre_count,
        previous_title,
        first_loaded_at,
        imdb_id,
        tmdb_id,
        imdb_url,
        tmdb_url,
        is_gone as is_deleted,
        is_inferred
    from described
)

select * from final
