with staged_books as (
    select * from {{ ref('stg_bookshop__books') }}
),

staged_sales as (
    select * from {{ ref('stg_bookshop__sales') }}
),

books as (
    select * from {{ ref('dim_books') }}
),

marked_books as (
    select {{ is_repeated(['book_id']) }} as is_duplicate
    from staged_books
),

orphans as (
    select staged_sales.book_id
    from staged_sales
    left join books on staged_sales.book_id = books.book_id
    where books.book_id is null
),

reconciled as (
    {{ counted_by_reason('books', [
        ['staging', 'rows', 'staged_books', 'true'],
        ['mart', 'duplicate', 'marked_books', 'is_duplicate'],
        ['mart', 'rows', 'books', 'true'],
    ]) }}
    union all
    {{ counted_by_reason('sales', [
        ['staging', 'rows', 'staged_sales', 'true'],
        ['mart', 'orphan', 'orphans', 'true'],
    ]) }}
    union all
    select
        'sales' as entity,
        'mart' as layer,
        'rows' as reason,
        coalesce(sum(sale_count), 0) as row_count
    from books
)

select * from reconciled
