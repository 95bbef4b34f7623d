{% set publisher = owner if is_pull_request else prefix ~ "_TRANSFORMER" %}
-- Parts "database" and "pull-request": a database with its schemas.
-- Who runs it: a person with {{ owner }}, which contains
-- {{ publisher }}.

use role {{ owner }};

{% if is_pull_request %}
create transient database if not exists {{ database }}
    data_retention_time_in_days = 0;
{% else %}
create database if not exists {{ database }}
    data_retention_time_in_days = 1;

-- SERVING and SERVING_NEXT belong to the role that publishes: only the owner of
-- both may swap them.
grant usage, create schema on database {{ database }}
    to role {{ publisher }};
{% endif %}
-- Texts are equal where they are the same, whatever default the account has.
alter database {{ database }} set default_ddl_collation = '';
drop schema if exists {{ database }}.public;

{% for schema in schemas %}
create schema if not exists {{ database }}.{{ schema }} with managed access;
{% endfor %}

-- The loader puts checked files here where Snowflake reads no bucket itself.
create stage if not exists {{ database }}.raw.landing;

create database role if not exists {{ database }}.serving_read;

-- What is made in SERVING_NEXT has at once the grants that it needs as SERVING:
-- they travel along when the two are swapped. Usage of a schema is the switch:
-- SERVING has it, and publishing moves it when SERVING_NEXT is complete.
use role {{ publisher }};
{% for path in (database ~ '.serving', database ~ '.serving_next') %}

create schema if not exists {{ path }} with managed access;
grant select on all tables in schema {{ path }}
    to database role {{ database }}.serving_read;
grant select on future tables in schema {{ path }}
    to database role {{ database }}.serving_read;
grant select on all views in schema {{ path }}
    to database role {{ database }}.serving_read;
grant select on future views in schema {{ path }}
    to database role {{ database }}.serving_read;
{% endfor %}

grant usage on schema {{ database }}.serving
    to database role {{ database }}.serving_read;
