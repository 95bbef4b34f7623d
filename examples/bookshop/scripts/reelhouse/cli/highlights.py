"""Queries of the published tables for the highlights in the summary of a run."""

# The kind of the newest event, in one word, and its time (UTC), which may be null.
NEWEST = "select 'sale', max(last_sold_at) from serving.dim_books"

# A text column, then numbers; column names are the headings.
BEST = """
    select title as "the best sold books", copies_sold as "copies", revenue
    from serving.dim_books
    order by copies_sold desc, book_id
    limit 5
"""

# An example that the summary suggests to readers.
QUESTION = "select * from dim_books"
