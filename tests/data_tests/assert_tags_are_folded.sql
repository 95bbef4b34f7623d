with tags as (
    select * from {{ ref('fct_tags') }}
),

wrong as (
    select
        user_id,
        movie_id,
        tag_normalised
    from tags
    where
        tag_normalised = ''
        or tag_normalised != {{ normalise_text('tag') }}
)

select * from wrong
