{% macro unsound_versions(versions, key, content) -%}
    {%- set each = "partition by " ~ key | join(', ')
        ~ " order by version_number" -%}
    select
        movie_id,
        version_number
    from (
        select
            {{ versions }}.*,
            {{ content }} || is_deleted as version_content,
            lead(valid_from) over ({{ each }}) as next_valid_from,
            lead({{ content }} || is_deleted) over ({{ each }})
                as next_content,
            max(version_number) over (partition by {{ key | join(', ') }})
                as versions
        from {{ versions }}
    ) as neighbours
    where
        valid_from is null
        or is_current is null
        or is_deleted is null
        or valid_to <= valid_from
        or coalesce(valid_to != next_valid_from, false)
        or (valid_to is null) != (version_number = versions)
        or is_current != (version_number = versions)
        or (
            version_number > 1
            and valid_from <= cast('1900-01-01' as datetime)
        )
        or (version_number = 1 and is_deleted)
        or version_content = next_content
{%- endmacro %}
