"""Highlights: queries for what the summary of a run says about the data."""

# What happened last, in one word, and when (UTC), which may be null.
NEWEST = "select 'sale', max(last_sold_at) from serving.dim_books"

# A text and numbers, under their names.
BEST = """
    select title as "the best sold books", copies_sold as "copies", revenue
    from serving.dim_books
    order by copies_sold desc, book_id
    limit 5
"""

# For readers to try.
QUESTION = "select * from dim_books"
