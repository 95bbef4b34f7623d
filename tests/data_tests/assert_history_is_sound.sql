with movies as (
    select * from {{ ref('dim_movies_history') }}
),

tags as (
    select * from {{ ref('fct_tags_history') }}
),

categories as (
    select * from {{ ref('mart_recommendation_history') }}
),

unsound as (
    {{ unsound_versions('movies', ['movie_id'], "title || '|' || genres") }}
    union all
    {{ unsound_versions(
        'tags', ['user_id', 'movie_id', 'tag_normalised'],
        "tag || cast(" ~ microseconds('tagged_at') ~ " as varchar)"
    ) }}
    union all
    {{ unsound_versions(
        'categories', ['movie_id'], 'recommendation_category'
    ) }}
)

select * from unsound
