-- Part "dashboard": where the dashboards are inside Snowflake, who sees them.
-- Who runs it: a person with ACCOUNTADMIN, after the parts database and access.

use role useradmin;

create role if not exists {{ prefix }}_VIEWER;
alter role {{ prefix }}_VIEWER set
    comment = 'sees the dashboards inside Snowflake, and no table';
grant role {{ prefix }}_VIEWER to role sysadmin;

use role {{ owner }};

create schema if not exists {{ database }}.apps with managed access;
-- An app reads with the privileges of its owner, which reads SERVING alone.
grant usage, create streamlit, create stage on schema {{ database }}.apps
    to role {{ prefix }}_REPORTER;

grant usage on database {{ database }} to role {{ prefix }}_VIEWER;
grant usage on schema {{ database }}.apps to role {{ prefix }}_VIEWER;
grant usage on all streamlits in schema {{ database }}.apps
    to role {{ prefix }}_VIEWER;
grant usage on future streamlits in schema {{ database }}.apps
    to role {{ prefix }}_VIEWER;
