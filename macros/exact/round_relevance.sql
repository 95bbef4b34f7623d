{% macro round_relevance(relevance) %}
    {{- 'cast(cast(floor(' ~ relevance ~ ' * 100000 + 0.5) as bigint)' -}}
    {{- ' * cast(0.00001 as decimal(6, 5)) as decimal(6, 5))' -}}
{% endmacro %}
