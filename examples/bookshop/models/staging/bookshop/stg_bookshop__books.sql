with source as (
    select * from {{ source('bookshop', 'books') }}
),

live as (
    select
        book_id,
        {{ trim_white('title') }} as title,
        price,
        file,
        record_number
    from source
    where {{ is_live() }}
)

select * from live
