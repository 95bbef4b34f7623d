-- The published tables as one would write them by hand: no dbt, no checks, no ledger.
-- It trusts its files: each rating, movie, link and score is there once. What tells of
-- loads (health_loads, health_rejects, health_reconciliation) has no counterpart here.
--
-- The variables `files` and `seeds` name folders. Schema `raw` holds the files, `work`
-- what several tables are made of.

-- step: load
create schema raw;
create schema work;
create schema serving;

create table raw.movies as
select *
from read_csv(
    getvariable('files') || '/movies.csv', header = true,
    quote = '"', escape = '"',
    columns = {movie_id: 'bigint', title: 'varchar', genres: 'varchar'}
);

create table raw.links as
select *
from read_csv(
    getvariable('files') || '/links.csv', header = true,
    columns = {movie_id: 'bigint', imdb_id: 'varchar', tmdb_id: 'varchar'}
);

create table raw.ratings as
select *
from read_csv(
    getvariable('files') || '/ratings.csv', header = true,
    columns = {
        user_id: 'bigint', movie_id: 'bigint', rating: 'decimal(2, 1)', epoch: 'bigint'
    }
);

create table raw.tags as
select *
from read_csv(
    getvariable('files') || '/tags.csv', header = true,
    quote = '"', escape = '"',
    columns = {user_id: 'bigint', movie_id: 'bigint', tag: 'varchar', epoch: 'bigint'}
);

create table raw.genome_tags as
select *
from read_csv(
    getvariable('files') || '/genome-tags.csv', header = true,
    quote = '"', escape = '"',
    columns = {tag_id: 'bigint', tag: 'varchar'}
);

create table raw.genome_scores as
select *
from read_csv(
    getvariable('files') || '/genome-scores.csv', header = true,
    columns = {movie_id: 'bigint', tag_id: 'bigint', relevance: 'double'}
);

-- step: build
create table serving.fct_ratings as
select
    user_id,
    movie_id,
    rating,
    make_timestamp(epoch * 1000000) as rated_at,
    cast(make_timestamp(epoch * 1000000) as date) as rated_date
from raw.ratings;

create table serving.fct_tags as
with normalised as (
    select
        *,
        lower(trim(regexp_replace(
            translate(tag, chr(9) || chr(10) || chr(13) || chr(160), '    '),
            ' +', ' ', 'g'
        ))) as tag_normalised
    from raw.tags
)

select
    user_id,
    movie_id,
    tag_normalised,
    arg_min(tag, (-epoch, tag)) as tag,
    make_timestamp(max(epoch) * 1000000) as tagged_at
from normalised
where tag_normalised != ''
group by user_id, movie_id, tag_normalised;

create table serving.dim_genome_tags as
select * from raw.genome_tags;

create table serving.fct_genome_scores as
select
    movie_id,
    tag_id,
    cast(cast(floor(relevance * 100000 + 0.5) as bigint)
        * cast(0.00001 as decimal(6, 5)) as decimal(6, 5)) as relevance
from raw.genome_scores
semi join raw.movies using (movie_id)
semi join raw.genome_tags using (tag_id);

-- Movies ---------------------------------------------------------------------------

create table work.movies as
with trimmed as (
    select
        movie_id,
        trim(title, chr(9) || chr(10) || chr(13) || ' ' || chr(160)) as title,
        genres
    from raw.movies
),

dated as (
    select
        *,
        cast(nullif(regexp_extract(
            title, '\((\d{4})\s*([-–—]\s*\d*)?\s*\)+$', 1
        ), '') as integer) as release_year
    from trimmed
)

select
    *,
    case
        when release_year is null then title
        else coalesce(nullif(regexp_replace(
            title,
            '\s*(\(' || release_year || '\)\s*)?'
            || '\(\d{4}\s*([-–—]\s*\d*)?\s*\)+$', ''
        ), ''), title)
    end as title_without_year
from dated;

create table work.genres as
with listed as (
    select
        movie_id,
        unnest(list_distinct(list_filter(
            string_split(genres, '|'),
            lambda word: word not in ('', '(no genres listed)')
        ))) as genre
    from raw.movies
),

completed as (
    select
        movie_id,
        coalesce(genre, '(no genres listed)') as genre
    from raw.movies
    left join listed using (movie_id)
)

select
    *,
    count(*) over (partition by movie_id) as genre_count
from completed;

create table work.mentioned as
select movie_id from serving.fct_ratings
union
select movie_id from serving.fct_tags;

create table serving.dim_movies as
with counted as (
    select
        movie_id,
        count(*) as genre_count
    from work.genres
    group by movie_id
)

select
    movie_id,
    movies.title,
    movies.title_without_year,
    movies.release_year,
    movies.genres,
    counted.genre_count,
    links.imdb_id,
    nullif(links.tmdb_id, '') as tmdb_id,
    'https://www.imdb.com/title/tt' || links.imdb_id || '/' as imdb_url,
    'https://www.themoviedb.org/movie/' || nullif(links.tmdb_id, '') as tmdb_url,
    cast(null as varchar) as previous_title,
    false as is_deleted,
    movies.movie_id is null as is_inferred
from work.movies
full join work.mentioned using (movie_id)
left join counted using (movie_id)
left join raw.links using (movie_id);

create table serving.dim_movies_history as
select
    movie_id,
    title,
    genres,
    cast(1 as bigint) as version_number,
    timestamp '1900-01-01' as valid_from,
    cast(null as timestamp) as valid_to,
    true as is_current,
    false as is_deleted,
    title as current_title,
    genres as current_genres,
    cast(null as varchar) as previous_title
from work.movies;

create table serving.dim_genres as
select
    genre,
    coalesce(is_listed, true) as is_listed
from read_csv(getvariable('seeds') || '/genres.csv') as seeded
full join (select distinct genre from work.genres) as found using (genre);

create table serving.bridge_movies_genres as
select
    movie_id,
    genre,
    1 / genre_count as genre_weight
from work.genres;

-- Sums that several tables share ---------------------------------------------------

create table work.movie_stars as
select
    movie_id,
    rating,
    cast(rating * 10 as bigint) as tenths,
    count(*) as ratings,
    min(rated_at) as first_rated_at,
    max(rated_at) as last_rated_at
from serving.fct_ratings
group by movie_id, rating;

create table work.movie_ratings as
select
    movie_id,
    cast(sum(ratings) as bigint) as ratings,
    cast(sum(ratings * tenths) as bigint) as tenths,
    cast(sum(ratings * tenths * tenths) as bigint) as squares,
    min(first_rated_at) as first_rated_at,
    max(last_rated_at) as last_rated_at
from work.movie_stars
group by movie_id;

create table work.user_days as
select
    user_id,
    rated_date,
    count(*) as ratings,
    sum(cast(rating * 10 as bigint)) as tenths,
    min(rated_at) as first_rated_at,
    max(rated_at) as last_rated_at
from serving.fct_ratings
group by user_id, rated_date;

create table work.user_months as
select
    user_id,
    cast(date_trunc('month', rated_date) as date) as month,
    sum(ratings) as ratings,
    sum(tenths) as tenths
from work.user_days
group by all;

create table work.user_genres as
select
    user_id,
    genre,
    cast(year(rated_date) as integer) as rating_year,
    count(*) as ratings,
    sum(cast(rating * 10 as bigint)) as tenths,
    sum(232792560 // genre_count) as weights,
    sum(cast(rating * 10 as bigint) * (232792560 // genre_count)) as weighted_tenths
from serving.fct_ratings
inner join work.genres using (movie_id)
group by user_id, genre, rating_year;

create table work.users as
with summed as (
    select
        user_id,
        sum(ratings) as ratings,
        sum(tenths) as tenths,
        count(*) as active_days,
        min(first_rated_at) as first_rated_at,
        max(last_rated_at) as last_rated_at
    from work.user_days
    group by user_id
),

ranked as (
    select
        *,
        percent_rank() over (order by ratings) as percentile
    from summed
)

select
    *,
    case
        when percentile >= 0.95 then 'Super-High'
        when percentile >= 0.66 then 'High'
        when percentile >= 0.33 then 'Medium'
        else 'Low'
    end as engagement_level
from ranked;

create table work.movie_genres_texts as
select
    movie_id,
    string_agg(genre, ', ' order by genre) as genres_string
from work.genres
group by movie_id;

-- The star -------------------------------------------------------------------------

create table serving.dim_users as
with taggers as (
    select
        user_id,
        count(*) as tags,
        min(tagged_at) as first_tagged_at,
        max(tagged_at) as last_tagged_at
    from serving.fct_tags
    group by user_id
)

select
    user_id,
    cast(coalesce(ratings, 0) as bigint) as rating_count,
    coalesce(tags, 0) as tag_count,
    least(first_rated_at, first_tagged_at) as first_active_at,
    greatest(last_rated_at, last_tagged_at) as last_active_at,
    engagement_level
from work.users
full join taggers using (user_id);

create table serving.dim_dates as
with active as (
    select rated_date as day from work.user_days
    union all
    select cast(tagged_at as date) as day from serving.fct_tags
),

days as (
    select cast(unnest(range(
        min(day), max(day) + interval 1 day, interval 1 day
    )) as date) as day
    from active
)

select
    day as date_day,
    cast(year(day) as integer) as year,
    cast(quarter(day) as integer) as quarter,
    cast(month(day) as integer) as month,
    cast(day(day) as integer) as day_of_month,
    cast(isodow(day) as integer) as iso_day_of_week,
    cast(date_trunc('month', day) as date) as month_start
from days;

-- Catalogue ------------------------------------------------------------------------

create table serving.mart_movie_performance as
with totals as (
    select
        sum(ratings) as ratings,
        sum(tenths) as tenths
    from work.movie_ratings
)

select
    movie_id,
    movies.title,
    movies.release_year,
    rated.ratings as rating_count,
    rated.tenths / (10 * rated.ratings) as average_rating,
    sqrt(
        (cast(rated.ratings as hugeint) * rated.squares
            - cast(rated.tenths as hugeint) * rated.tenths)
        / nullif(cast(100 as hugeint) * rated.ratings * (rated.ratings - 1), 0)
    ) as rating_stddev,
    (rated.tenths * totals.ratings + 100 * totals.tenths)
    / (10 * (rated.ratings + 100) * totals.ratings) as bayesian_rating,
    rated.ratings >= 100 as has_enough_ratings,
    rated.first_rated_at,
    rated.last_rated_at
from work.movies
inner join work.movie_ratings as rated using (movie_id)
cross join totals;

create table serving.mart_genre_ratings as
with raters as (
    select
        genre,
        count(distinct user_id) as raters
    from work.user_genres
    group by genre
),

-- Weights are whole numbers of parts: 232792560 can be divided by 1 to 22.
summed as (
    select
        genre,
        count(*) as movies,
        count(rated.movie_id) as rated_movies,
        sum(ratings) as ratings,
        sum(tenths) as tenths,
        sum(squares) as squares,
        sum(ratings * (232792560 // genre_count)) as weighted_ratings,
        sum(tenths * (232792560 // genre_count)) as weighted_tenths
    from work.genres
    left join work.movie_ratings as rated using (movie_id)
    group by genre
)

select
    genre,
    coalesce(movies, 0) as movies,
    coalesce(rated_movies, 0) as rated_movies,
    cast(coalesce(ratings, 0) as bigint) as rating_count,
    coalesce(raters, 0) as raters,
    tenths / (10 * ratings) as average_rating,
    weighted_tenths / (10 * weighted_ratings) as weighted_average_rating,
    coalesce(weighted_ratings / 232792560, 0) as weighted_rating_count,
    sqrt(
        (ratings * squares - tenths * tenths)
        / nullif(100 * ratings * (ratings - 1), 0)
    ) as rating_stddev
from serving.dim_genres
left join summed using (genre)
left join raters using (genre);

create table serving.mart_genre_trends as
with summed as (
    select
        genre,
        rating_year,
        cast(sum(ratings) as bigint) as ratings,
        count(*) as users,
        sum(tenths) / (10 * sum(ratings)) as average,
        sum(weighted_tenths) / (10 * sum(weights)) as weighted_average
    from work.user_genres
    group by genre, rating_year
),

years as (
    select cast(unnest(range(min(year(rated_date)), max(year(rated_date)) + 1))
        as integer) as rating_year
    from work.user_days
)

select
    genre,
    rating_year,
    coalesce(ratings, 0) as rating_count,
    average as average_rating,
    weighted_average as weighted_average_rating,
    average - lag(average) over (partition by genre order by rating_year)
        as average_change,
    coalesce(users, 0) as active_users
from (select distinct genre from summed) as genres
cross join years
left join summed using (genre, rating_year);

create table serving.mart_top_movies_by_genre as
with measured as (
    select *
    from (
        select
            *,
            unnest(['average', 'bayesian', 'count']) as basis,
            unnest([average_rating, bayesian_rating, rating_count]) as measure
        from serving.mart_movie_performance
    ) as bases
    where basis = 'count' or rating_count >= 20
)

select
    genre,
    basis,
    row_number() over (
        partition by genre, basis
        order by
            measure desc, average_rating desc, rating_count desc, title asc,
            movie_id asc
    ) as rank,
    movie_id,
    title,
    rating_count,
    average_rating,
    bayesian_rating
from measured
inner join work.genres using (movie_id)
qualify rank <= 10;

create table serving.mart_release_trends as
with summed as (
    select
        release_year,
        count(*) as movies,
        sum(ratings) as ratings,
        sum(tenths) as tenths
    from work.movies
    left join work.movie_ratings using (movie_id)
    where release_year is not null
    group by release_year
),

years as (
    select cast(unnest(range(min(release_year), max(release_year) + 1)) as integer)
        as release_year
    from summed
)

select
    release_year,
    release_year - release_year % 10 as decade,
    coalesce(movies, 0) as movies_released,
    cast(coalesce(ratings, 0) as bigint) as rating_count,
    tenths / (10 * ratings) as average_rating
from years
left join summed using (release_year);

create table serving.mart_movie_releases as
select
    movie_id,
    movies.title,
    movies.release_year,
    dates.release_date,
    case
        when dates.release_date is not null then 'date'
        when movies.release_year is not null then 'year'
        else 'unknown'
    end as release_info
from work.movies
left join raw.links using (movie_id)
left join read_csv(
    getvariable('seeds') || '/movie_release_dates.csv', types = {imdb_id: 'varchar'}
) as dates using (imdb_id);

create table serving.mart_rating_distribution as
with per_genre as (
    select
        false as is_all,
        genre,
        rating,
        sum(ratings) as ratings
    from work.movie_stars
    inner join work.genres using (movie_id)
    group by genre, rating
    union all
    select
        true as is_all,
        'all' as genre,
        rating,
        sum(ratings) as ratings
    from work.movie_stars
    group by rating
),

half_stars as (
    select
        is_all,
        genre,
        cast(unnest(range(1, 11)) * 0.5 as decimal(2, 1)) as rating
    from (select distinct is_all, genre from per_genre)
)

select
    genre,
    is_all,
    rating,
    cast(coalesce(ratings, 0) as bigint) as rating_count,
    coalesce(ratings, 0) / sum(ratings) over (partition by is_all, genre) as share,
    coalesce(sum(ratings) over (partition by is_all, genre order by rating), 0)
    / sum(ratings) over (partition by is_all, genre) as cumulative_share
from half_stars
left join per_genre using (is_all, genre, rating);

-- Content --------------------------------------------------------------------------

create table work.top_tags as
select
    movie_id,
    tag_id,
    tag,
    relevance,
    row_number() over (
        partition by movie_id
        order by relevance desc, tag asc, tag_id asc
    ) as tag_rank
from serving.fct_genome_scores
inner join serving.dim_genome_tags using (tag_id)
qualify tag_rank <= 10;

create table serving.mart_movie_tag_profile as
select
    movie_id,
    any_value(title) as title,
    string_agg(tag, ', ' order by tag_rank) as top_tags,
    any_value(tag) filter (tag_rank = 1) as top_tag,
    max(relevance) as top_relevance
from work.top_tags
inner join work.movies using (movie_id)
group by movie_id;

create table serving.mart_tag_relevance as
with summed as (
    select
        tag_id,
        sum(relevance) as relevance,
        count(*) as movies,
        count(*) filter (relevance >= 0.5) as movies_relevant
    from serving.fct_genome_scores
    group by tag_id
)

select
    tag_id,
    tag,
    relevance / movies as average_relevance,
    coalesce(movies, 0) as movies_scored,
    coalesce(movies_relevant, 0) as movies_relevant
from serving.dim_genome_tags
left join summed using (tag_id);

create table serving.mart_tag_performance as
select
    tag_id,
    tag,
    count(*) as movies_with_tag,
    cast(sum(ratings) as bigint) as total_ratings,
    sum(tenths) / (10 * sum(ratings)) as weighted_average_rating
from work.top_tags
inner join work.movie_ratings using (movie_id)
where ratings >= 20
group by tag_id, tag
having count(*) >= 50;

create table serving.mart_user_tags as
select
    tag_normalised,
    count(*) as applications,
    count(distinct movie_id) as movies,
    count(distinct user_id) as users,
    min(tagged_at) as first_tagged_at,
    max(tagged_at) as last_tagged_at
from serving.fct_tags
group by tag_normalised;

create table serving.mart_movie_user_tags as
with taggers as (
    select
        movie_id,
        count(distinct user_id) as taggers
    from serving.fct_tags
    group by movie_id
)

select
    movie_id,
    tag_normalised,
    count(*) as users,
    count(*) / any_value(taggers) as share,
    row_number() over (
        partition by movie_id
        order by users desc, tag_normalised asc
    ) as rank
from serving.fct_tags
inner join taggers using (movie_id)
semi join work.movies using (movie_id)
group by movie_id, tag_normalised;

-- Recommendation -------------------------------------------------------------------

create table serving.mart_movie_recommendations as
with judged as (
    select
        *,
        case
            when ratings >= 100 and tenths >= 35 * ratings then 3
            when ratings >= 20 and tenths >= 40 * ratings then 2
            when ratings >= 100 and tenths >= 25 * ratings then 1
            else 0
        end as priority
    from work.movie_ratings
)

select
    movie_id,
    title,
    genres_string,
    ratings as rating_count,
    tenths / (10 * ratings) as average_rating,
    ['unclassified', 'fading', 'rising_star', 'evergreen'][priority + 1]
        as recommendation_category,
    cast(priority as bigint) as priority
from work.movies
inner join work.movie_genres_texts using (movie_id)
inner join judged using (movie_id);

create table serving.mart_movie_momentum as
with last_day as (
    select max(rated_date) as day from work.user_days
),

counted as (
    select
        movie_id,
        count(*) filter (rated_date > day - 365) as recent,
        count(*) filter (rated_date <= day - 365) as previous,
        sum(cast(rating * 10 as bigint)) filter (rated_date > day - 365)
            as recent_tenths,
        sum(cast(rating * 10 as bigint)) filter (rated_date <= day - 365)
            as previous_tenths
    from serving.fct_ratings
    cross join last_day
    where rated_date > day - 730
    group by movie_id
)

select
    movie_id,
    title,
    coalesce(recent, 0) as recent_rating_count,
    coalesce(previous, 0) as previous_rating_count,
    recent_tenths / (10 * recent) as recent_average_rating,
    previous_tenths / (10 * previous) as previous_average_rating,
    case
        when coalesce(recent, 0) + coalesce(previous, 0) < 10 then 'dormant'
        when cast(first_rated_at as date) > day - 365 then 'new'
        when recent >= 1.25 * previous then 'rising'
        when recent <= 0.8 * previous then 'falling'
        else 'steady'
    end as momentum
from work.movies
inner join work.movie_ratings using (movie_id)
left join counted using (movie_id)
cross join last_day;

create table work.likes as
with most_liked as (
    select
        movie_id,
        sum(ratings) as likes
    from work.movie_stars
    semi join work.movies using (movie_id)
    where rating >= 4
    group by movie_id
    order by likes desc, movie_id asc
    limit 2000
)

select
    user_id,
    movie_id
from serving.fct_ratings
semi join most_liked using (movie_id)
where rating >= 4
qualify
    row_number() over (partition by user_id order by rated_at desc, movie_id asc) <= 100;

create table serving.mart_movie_neighbours as
with liked as (
    select
        movie_id,
        count(*) as likes
    from work.likes
    group by movie_id
),

pairs as (
    select
        one.movie_id,
        other.movie_id as neighbour_movie_id,
        count(*) as common_users
    from work.likes as one
    inner join work.likes as other
        on one.user_id = other.user_id and one.movie_id < other.movie_id
    group by one.movie_id, other.movie_id
),

both_ways as (
    select * from pairs
    union all
    select
        neighbour_movie_id,
        movie_id,
        common_users
    from pairs
),

compared as (
    select
        both_ways.*,
        common_users * common_users
        / (sqrt(cast(liked.likes * neighbour.likes as double)) * (common_users + 20))
            as similarity
    from both_ways
    inner join liked using (movie_id)
    inner join liked as neighbour
        on both_ways.neighbour_movie_id = neighbour.movie_id
)

select
    movie_id,
    neighbour_movie_id,
    row_number() over (
        partition by movie_id
        order by similarity desc, common_users desc, neighbour_movie_id asc
    ) as rank,
    common_users,
    similarity
from compared
qualify rank <= 10;

-- Audience -------------------------------------------------------------------------

create table serving.mart_user_engagement as
with totals as (
    select
        user_id,
        genre,
        cast(sum(ratings) as bigint) as ratings
    from work.user_genres
    group by user_id, genre
),

top_genres as (
    select
        user_id,
        arg_min((genre, ratings), (-ratings, genre)) as top
    from totals
    group by user_id
)

select
    user_id,
    users.rating_count,
    ranked.tenths / (10 * ranked.ratings) as average_rating,
    users.tag_count,
    ranked.active_days,
    ranked.first_rated_at,
    ranked.last_rated_at,
    ranked.percentile as engagement_percentile,
    ranked.engagement_level,
    top[1] as top_genre,
    coalesce(top[2], 0) as top_genre_ratings
from work.users as ranked
inner join serving.dim_users as users using (user_id)
left join top_genres using (user_id);

create table serving.mart_genre_engagement as
select
    engagement_level,
    genre,
    count(distinct user_id) as users,
    cast(sum(user_genres.ratings) as bigint) as rating_count,
    sum(user_genres.tenths) / (10 * sum(user_genres.ratings)) as average_rating
from work.user_genres
inner join work.users using (user_id)
group by engagement_level, genre;

create table work.months as
select cast(unnest(range(
    min(month), max(month) + interval 1 day, interval 1 month
)) as date) as month
from work.user_months;

create table serving.mart_monthly_trends as
with activity as (
    select
        month,
        count(*) as users,
        sum(ratings) as ratings,
        sum(tenths) as tenths
    from work.user_months
    group by month
),

arrivals as (
    select
        month,
        count(*) as users
    from (select min(month) as month from work.user_months group by user_id)
    group by month
),

movies as (
    select
        cast(date_trunc('month', rated_date) as date) as month,
        count(distinct movie_id) as movies
    from serving.fct_ratings
    group by all
)

select
    month,
    cast(coalesce(activity.ratings, 0) as bigint) as rating_count,
    activity.tenths / (10 * activity.ratings) as average_rating,
    coalesce(activity.users, 0) as active_users,
    coalesce(arrivals.users, 0) as new_users,
    coalesce(movies.movies, 0) as movies_rated
from work.months
left join activity using (month)
left join arrivals using (month)
left join movies using (month);

create table serving.mart_user_cohorts as
with members as (
    select
        month,
        min(month) over (partition by user_id) as cohort_month
    from work.user_months
),

activity as (
    select
        cohort_month,
        month,
        count(*) as users
    from members
    group by cohort_month, month
)

select
    cohorts.cohort_month,
    date_diff('month', cohorts.cohort_month, months.month) as months_since,
    cohorts.users as cohort_users,
    coalesce(activity.users, 0) as active_users,
    coalesce(activity.users, 0) / cohorts.users as retention
from activity as cohorts
inner join work.months on cohorts.cohort_month <= months.month
left join activity
    on
        cohorts.cohort_month = activity.cohort_month
        and months.month = activity.month
where cohorts.cohort_month = cohorts.month;

create view serving.mart_user_behaviour as
select
    ratings.user_id,
    ratings.movie_id,
    ratings.rating,
    ratings.rated_at,
    cast(year(ratings.rated_date) as integer) as rated_year,
    cast(month(ratings.rated_date) as integer) as rated_month,
    cast(day(ratings.rated_date) as integer) as rated_day_of_month,
    cast(isodow(ratings.rated_date) as integer) as rated_iso_day_of_week,
    movies.genres_string,
    users.engagement_level,
    users.rating_count as user_rating_count,
    users.average_rating as user_average_rating
from serving.fct_ratings as ratings
left join serving.mart_movie_recommendations as movies using (movie_id)
left join serving.mart_user_engagement as users using (user_id);

create view serving.mart_user_behaviour_by_genre as
select
    ratings.user_id,
    ratings.movie_id,
    ratings.rating,
    ratings.rated_at,
    cast(year(ratings.rated_date) as integer) as rated_year,
    cast(month(ratings.rated_date) as integer) as rated_month,
    cast(day(ratings.rated_date) as integer) as rated_day_of_month,
    cast(isodow(ratings.rated_date) as integer) as rated_iso_day_of_week,
    bridge.genre,
    bridge.genre_weight,
    users.engagement_level,
    users.rating_count as user_rating_count,
    users.average_rating as user_average_rating
from serving.fct_ratings as ratings
inner join serving.bridge_movies_genres as bridge using (movie_id)
left join serving.mart_user_engagement as users using (user_id);
