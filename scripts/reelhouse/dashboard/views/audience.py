"""Audience: who rates, how much, and who comes back."""

from reelhouse.dashboard.page import *

PLACE = 40
# Cohorts are followed for this many months after their first one.
COHORT_MONTHS = 24


def blocks(at: At) -> Iterator[Block]:  # noqa: ARG001
    levels = """
        select engagement_level, count(*) as users, sum(rating_count) as rating_count,
            sum(average_rating * rating_count) / sum(rating_count) as average_rating,
            cast(count(*) as double) / sum(count(*)) over () as _of_users,
            cast(sum(rating_count) as double) / sum(sum(rating_count)) over ()
                as _of_ratings
        from serving.mart_user_engagement
        group by engagement_level
        order by case engagement_level
            when 'Low' then 1 when 'Medium' then 2 when 'High' then 3 else 4 end"""
    users = f"""
        select user_id, 'user ' || cast(user_id as varchar) as name, rating_count,
            average_rating, tag_count, active_days, engagement_level, top_genre,
            first_rated_at, last_rated_at
        from serving.mart_user_engagement
        order by rating_count desc, user_id
        limit {LISTED}"""
    months = """
        select month, active_users, new_users, rating_count
        from serving.mart_monthly_trends
        order by month"""
    genres = """
        select genre,
            max(case when engagement_level = 'Low' then average_rating end) as low,
            max(case when engagement_level = 'Super-High' then average_rating end)
                as super_high,
            sum(rating_count) as rating_count
        from serving.mart_genre_engagement as engagement
        where engagement_level in ('Low', 'Super-High')
        group by genre
        order by sum(engagement.rating_count) desc, genre"""
    yield Figures(
        f"""
        select *
        from ({measured("active_users", "new_users")}) as months
        cross join ({measured("retention")}) as cohorts""",
        {
            "active_users": ("", "in the last month of the data"),
            "new_users": ("", "since the first month"),
            "retention": ("", "of users, in a month after that of their first rating"),
        },
    )
    yield Says(
        "The busiest users, {top._of_users:.0%} of all, gave {top._of_ratings:.0%} of "
        "the ratings, {top.rating_count:,}.",
        levels,
        "Ratings by engagement",
        rows={"top": last},
    )
    yield Says(
        "[User {user_id}](user {user_id}) has rated most: {rating_count:,} movies, "
        "with {average_rating:.2f} stars on average.",
        users,
        "The users",
    )
    yield Says(
        "{top.month:%B %Y} was the month with the most users who rated, "
        "{top.active_users:,}.",
        months,
        "Active and new users by month",
        rows={"top": most("active_users")},
    )
    yield [
        Chart(
            "Users by engagement",
            levels,
            bars("engagement_level", "users"),
            "Users by their number of ratings, compared with other users: Super-High "
            "is the top 5 %.",
        ),
        Chart(
            "Ratings by engagement", levels, bars("engagement_level", "rating_count")
        ),
    ]
    yield Chart(
        "Active and new users by month",
        months,
        lines("active_users", "new_users"),
        "Users who rated in each month, and those who rated for the first time.",
        rows=spanned,
    )
    yield Chart(
        "Who comes back",
        f"""
        select dates.year as cohort_year, cohorts.months_since,
            cast(sum(cohorts.active_users) as double)
                / nullif(sum(cohorts.cohort_users), 0) as retention,
            sum(cohorts.active_users) as active_users,
            sum(cohorts.cohort_users) as cohort_users
        from serving.mart_user_cohorts as cohorts
        inner join serving.dim_dates as dates
            on cohorts.cohort_month = dates.date_day
        where cohorts.months_since between 1 and {COHORT_MONTHS}
        group by dates.year, cohorts.months_since
        order by dates.year, cohorts.months_since""",
        heat("months_since", "cohort_year", "retention", 3),
        "Of the users who gave their first rating in a year, the share who rate in "
        f"each of the {COHORT_MONTHS} months after their first.",
        empty="There is no month after a first rating yet.",
    )
    yield Section("What they like", "A rating counts once in each genre of its movie.")
    yield Chart(
        "Genres, by users who rate least and most",
        genres,
        bars("genre", low="Low", super_high="Super-High"),
        "Average ratings by users of the lowest and of the highest level.",
        to="genre",
    )
    yield Table(
        "The users", users, says=f"The {LISTED} with the most ratings.", to="user"
    )
