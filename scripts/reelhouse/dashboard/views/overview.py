"""Overview: what is rated, by how many, what has changed and what is new."""

from reelhouse.dashboard.page import *

PLACE = 10
FILTERS = ("genres", "released", "ratings", "rated")
TOTALS = ("ratings", "raters", "average_rating", "rated_movies", "ratings_per_rater")


def blocks(at: At) -> Iterator[Block]:
    now = measured(*TOTALS, where=at.filters.ratings())
    if at.filters.first_day:
        then = measured(*TOTALS, where=at.filters.before().ratings())
        more = ", ".join(
            f"cast(totals.{name} as double) / nullif(earlier.{name}, 0) - 1 "
            f"as more_{name}"
            for name in TOTALS
        )
        now = f"""
            select totals.*, totals.average_rating - earlier.average_rating as higher,
                {more}
            from ({now}) as totals
            cross join ({then}) as earlier"""
    shown = {
        name: ("", f"{{more_{name}:+.0%}} from the period before") for name in TOTALS
    }
    of_ratings = "from {ratings:,} ratings"
    higher = "{higher:+.2f} from the period before"
    shown["average_rating"] = ("", higher if at.filters.first_day else of_ratings)
    yield Figures(now, shown)
    change = f"""
        select rating_count, average_rating, _others,
            abs(average_rating - average_before) as _by,
            case when average_rating < average_before then 'fell' else 'rose' end
                as _did
        from (
            select sum(count_now) as rating_count, sum(count_before) as _others,
                cast(sum(sum_now) as double) / nullif(sum(count_now), 0)
                    as average_rating,
                cast(sum(sum_before) as double) / nullif(sum(count_before), 0)
                    as average_before
            from ({at.two_periods()}
            ) as rated
        ) as periods
        where _others >= {ENOUGH}"""
    months = """
        select month, rating_count, average_rating
        from serving.mart_monthly_trends
        order by month"""
    if at.filters.set:
        months = f"""
            select dates.month_start as month,
                coalesce(sum(days.ratings), 0) as rating_count,
                cast(sum(days.stars) as double) / sum(days.ratings) as average_rating
            from serving.dim_dates as dates
            left join (
                select rated_date, count(*) as ratings, sum(rating) as stars
                from serving.fct_ratings
                where {at.filters.ratings()}
                group by rated_date
            ) as days
                on dates.date_day = days.rated_date
            group by dates.month_start
            order by dates.month_start"""
    new = f"""
        select movie_id, title, momentum, recent_rating_count, recent_average_rating,
            previous_rating_count
        from serving.mart_movie_momentum
        where momentum in ('new', 'rising') and {at.filters.movies()}
        order by recent_rating_count desc, title, movie_id
        limit 100"""
    yield Says(
        "The average rating {_did} by {_by:.2f} stars to {average_rating:.2f} "
        f"({at.periods}: {{rating_count:,}} and {{_others:,}} ratings).",
        change,
        "Average rating by month",
    )
    yield Says(
        "{top.month:%B %Y} was the busiest month, with {top.rating_count:,} ratings.",
        months,
        "Ratings by month",
        rows={"top": most("rating_count")},
    )
    yield Says(
        "[{title}](movie {movie_id}) leads the new and rising movies, with "
        "{recent_rating_count:,} ratings in the last 365 days of the data, after "
        "{previous_rating_count:,} in the 365 before.",
        new,
        "New and rising movies",
        "recent_rating_count",
        ENOUGH // 3,
    )
    yield [
        Chart("Ratings by month", months, lines("rating_count"), rows=spanned),
        Chart(
            "Average rating by month",
            months,
            lines("average_rating"),
            "Months with at least ten ratings; point at one to see how many.",
            empty="No month has ten ratings.",
            rows=lambda frame: frame[frame["rating_count"] >= 10],
        ),
    ]
    yield Chart(
        "New and rising movies",
        new,
        bars("title", "recent_rating_count"),
        "Movies first rated in the last 365 days of the data, or rated far more often "
        "than in the 365 days before.",
        to="movie",
    )
