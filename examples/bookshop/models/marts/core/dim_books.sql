with books as (
    select * from {{ ref('int_books_deduplicated') }}
),

sales as (
    select * from {{ ref('int_sales_summed_by_book') }}
),

final as (
    select
        books.book_id,
        books.title,
        books.price,
        cast(coalesce(sales.sale_count, 0) as bigint) as sale_count,
        cast(coalesce(sales.copies_sold, 0) as bigint) as copies_sold,
        cast(coalesce(sales.copies_sold, 0) * books.price as decimal(18, 2))
            as revenue,
        {{ ratio('sales.copies_sold', 'sales.sale_count') }}
            as average_copies,
        sales.last_sold_at
    from books
    left join sales on books.book_id = sales.book_id
)

select * from final
