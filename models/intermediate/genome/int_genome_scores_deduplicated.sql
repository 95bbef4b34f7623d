with genome_scores as (
    select * from {{ ref('stg_movielens__genome_scores') }}
),

{# Its own CTE: an engine may keep a CTE in memory if it is read twice. #}
named_scores as (
    select * from {{ ref('stg_movielens__genome_scores') }}
),

-- Numbers take less memory than names where millions of rows are sorted.
files as (
    select
        file,
        row_number() over (order by file asc) as file_number
    from named_scores
    group by file
),

numbered as (
    select
        genome_scores.movie_id,
        genome_scores.tag_id,
        genome_scores.relevance,
        genome_scores.record_number,
        files.file_number
    from genome_scores
    inner join files on genome_scores.file = files.file
),

deduplicated as (
    select
        movie_id,
        tag_id,
        relevance
    from numbered
    qualify
        not {{ is_repeated(
            ['movie_id', 'tag_id'],
            ['file_number desc', 'record_number desc']
        ) }}
)

select * from deduplicated
