{% macro epoch_to_timestamp(seconds) %}
    {{- adapter.dispatch('epoch_to_timestamp', 'reelhouse')(seconds) -}}
{% endmacro %}

{% macro duckdb__epoch_to_timestamp(seconds) %}
    {{- 'make_timestamp(cast(' ~ seconds ~ ' as bigint) * 1000000)' -}}
{% endmacro %}

{% macro snowflake__epoch_to_timestamp(seconds) %}
    {{- 'to_timestamp_ntz(cast(' ~ seconds ~ ' as bigint), 0)' -}}
{% endmacro %}
