with source as (
    select * from {{ source('bookshop', 'sales') }}
),

live as (
    select
        book_id,
        copies,
        {{ epoch_to_timestamp('sold_epoch') }} as sold_at
    from source
    where {{ is_live() }}
)

select * from live
