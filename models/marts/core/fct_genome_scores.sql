with genome_scores as (
    select * from {{ ref('int_genome_scores_deduplicated') }}
),

movies as (
    select * from {{ ref('int_movies_detailed') }}
),

genome_tags as (
    select * from {{ ref('dim_genome_tags') }}
),

final as (
    select
        genome_scores.movie_id,
        genome_scores.tag_id,
        genome_scores.relevance
    from genome_scores
    inner join movies on genome_scores.movie_id = movies.movie_id
    inner join genome_tags on genome_scores.tag_id = genome_tags.tag_id
)

select * from final
