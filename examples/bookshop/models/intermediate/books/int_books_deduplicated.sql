with books as (
    select * from {{ ref('stg_bookshop__books') }}
),

deduplicated as (
    select
        book_id,
        title,
        price
    from books
    qualify
        row_number() over (
            partition by book_id
            order by file desc, record_number desc
        ) = 1
)

select * from deduplicated
