"""Queries of the published tables for the highlights in the summary of a run."""

# The kind of the newest event, in one word, and its time (UTC), which may be null.
NEWEST = "select 'rating', max(last_rated_at) from serving.mart_movie_performance"

# A text column, then numbers; column names are the headings. Ordered by the Bayesian
# average, which needs no minimum number of ratings.
BEST = """
    select
        title as "the best movies",
        bayesian_rating as "Bayesian",
        average_rating as "average",
        rating_count as "ratings"
    from serving.mart_movie_performance
    order by bayesian_rating desc, rating_count desc, movie_id
    limit 5
"""

# An example that the summary suggests to readers.
QUESTION = "select * from mart_genre_ratings"
