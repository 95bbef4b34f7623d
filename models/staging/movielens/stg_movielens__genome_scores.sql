with source as (
    select * from {{ source('movielens', 'genome_scores') }}
),

typed as (
    select
        movie_id,
        tag_id,
        {{ round_relevance('relevance') }} as relevance,
        file,
        record_number
    from source
    where {{ is_live() }}
)

select * from typed
