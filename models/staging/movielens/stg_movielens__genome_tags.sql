with source as (
    select * from {{ source('movielens', 'genome_tags') }}
),

live as (
    select
        tag_id,
        tag,
        file,
        record_number
    from source
    where {{ is_live() }}
)

select * from live
