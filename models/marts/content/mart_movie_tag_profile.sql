with movies as (
    select * from {{ ref('int_movies_detailed') }}
),

top_tags as (
    select * from {{ ref('int_top_tags_ranked') }}
),

profiles as (
    select
        movie_id,
        {{ dbt.listagg('tag', "', '", 'order by tag_rank') }} as top_tags,
        max(case when tag_rank = 1 then tag end) as top_tag,
        max(case when tag_rank = 1 then relevance end) as top_relevance
    from top_tags
    group by movie_id
),

final as (
    select
        movies.movie_id,
        movies.title,
        profiles.top_tags,
        profiles.top_tag,
        profiles.top_relevance
    from profiles
    inner join movies on profiles.movie_id = movies.movie_id
)

select * from final
