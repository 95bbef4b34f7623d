with behaviour as (
    select * from {{ ref('mart_user_behaviour') }}
),

-- A group is all genres of a movie. Highly engaged are both upper levels.
genre_groups as (
    select
        genres_string,
        count(distinct user_id) as users,
        count(*) as rating_count,
        {{ ratio(
            'sum(' ~ tenths('rating') ~ ')', '10 * count(*)'
        ) }} as average_rating
    from behaviour
    where
        engagement_level in ('High', 'Super-High')
        and genres_string is not null
    group by genres_string
),

top_groups as (
    select
        genres_string,
        users,
        rating_count,
        average_rating,
        row_number() over (
            order by rating_count desc, genres_string asc
        ) as rank
    from genre_groups
    {{ top_n(5, ['rating_count desc', 'genres_string asc']) }}
)

select * from top_groups
