"""Highlights: what the summary of a run says of the data itself, as questions to the
published tables.
"""

# What happened last, in one word, and when (UTC), which may be null.
NEWEST = "select 'rating', max(last_rated_at) from serving.mart_movie_performance"

# A text and numbers, under their names. The best by the Bayesian average, so that no
# limit on the number of ratings is needed.
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

# For readers to try.
QUESTION = "select * from mart_genre_ratings"
