with sales as (
    select * from {{ ref('stg_bookshop__sales') }}
),

summed as (
    select
        book_id,
        count(*) as sale_count,
        sum(copies) as copies_sold,
        max(sold_at) as last_sold_at
    from sales
    group by book_id
)

select * from summed
