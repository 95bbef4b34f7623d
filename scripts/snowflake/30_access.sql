-- Part "access": who may read and write what in the database.
-- Who runs it: a person with {{ owner }}.

use role {{ owner }};
{% for schema in schemas %}
{% set path = database ~ '.' ~ schema %}

create database role if not exists {{ path }}_read;
grant usage on schema {{ path }}
    to database role {{ path }}_read;
grant select on all tables in schema {{ path }}
    to database role {{ path }}_read;
grant select on future tables in schema {{ path }}
    to database role {{ path }}_read;
grant select on all views in schema {{ path }}
    to database role {{ path }}_read;
grant select on future views in schema {{ path }}
    to database role {{ path }}_read;

create database role if not exists {{ path }}_write;
grant database role {{ path }}_read
    to database role {{ path }}_write;
grant create table, create view on schema {{ path }}
    to database role {{ path }}_write;
{% endfor %}

-- A raw table serves any loader, whichever role made it.
grant insert, update, delete, truncate
    on all tables in schema {{ database }}.raw
    to database role {{ database }}.raw_write;
grant insert, update, delete, truncate
    on future tables in schema {{ database }}.raw
    to database role {{ database }}.raw_write;
grant read, write on stage {{ database }}.raw.landing
    to database role {{ database }}.raw_write;

{% for role in ("LOADER", "TRANSFORMER", "REPORTER") %}
grant usage on database {{ database }} to role {{ prefix }}_{{ role }};
{% endfor %}
grant database role {{ database }}.raw_write to role {{ prefix }}_LOADER;
-- The loader asks which loads tables were made of, and never gives an id again.
grant database role {{ database }}.state_read to role {{ prefix }}_LOADER;
grant database role {{ database }}.raw_read to role {{ prefix }}_TRANSFORMER;
{% for schema in schemas if schema != 'raw' %}
grant database role {{ database }}.{{ schema }}_write
    to role {{ prefix }}_TRANSFORMER;
{% endfor %}
grant database role {{ database }}.serving_read to role {{ prefix }}_REPORTER;
