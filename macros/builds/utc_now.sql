{% macro utc_now() %}
    {{- modules.datetime.datetime.now(modules.pytz.utc).strftime(
        '%Y-%m-%d %H:%M:%S.%f'
    ) -}}
{% endmacro %}
