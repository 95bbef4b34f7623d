{% macro persist_docs(relation, model, for_relation=true, for_columns=true) %}
    {{- return(adapter.dispatch('persist_docs', 'reelhouse')(
        relation, model, for_relation, for_columns
    )) -}}
{% endmacro %}

{#- One statement for all comments: dbt would query the columns twice. -#}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) %}
    {%- set comments = [] -%}
    {%- if for_relation and config.persist_relation_docs() -%}
        {%- do comments.append(
            alter_relation_comment(relation, model.description)
        ) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() -%}
        {%- for column in model.columns.values() -%}
            {%- do comments.append(
                'comment on column ' ~ relation ~ '.'
                ~ adapter.quote(column.name) ~ ' is '
                ~ duckdb_escape_comment(column.description) ~ ';'
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if comments -%}
        {%- do run_query(comments | join('\n')) -%}
    {%- endif -%}
{% endmacro %}

{% macro snowflake__persist_docs(relation, model, for_relation, for_columns) %}
    {{- return(dbt.default__persist_docs(
        relation, model, for_relation, for_columns
    )) -}}
{% endmacro %}
