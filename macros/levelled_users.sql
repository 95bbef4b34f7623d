{% macro levelled_users(users, levels) %}
    select
        percentiles.user_id,
        percentiles.engagement_percentile,
        {{ levels }}.level as engagement_level
    from (
        select
            user_id,
            {{ share_below('rating_count') }} as engagement_percentile
        from {{ users }}
    ) as percentiles
    left join {{ levels }}
        on percentiles.engagement_percentile >= {{ levels }}.min_percentile
    {{ top_n(
        1, [levels ~ '.min_percentile desc', levels ~ '.level asc'],
        ['percentiles.user_id']
    ) }}
{% endmacro %}
