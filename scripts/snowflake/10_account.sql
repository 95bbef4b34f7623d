-- Part "account": what the account holds once, whatever databases there are.
-- Who runs it: a person with ACCOUNTADMIN, which contains the roles used here.

{# Each role has a warehouse of its own; a statement may run, and wait, for seconds.
   An app is one statement for as long as somebody looks at it. #}
{% set jobs = [
    ("LOADER", "LOADING", "loads files into the raw tables", 3600, 600),
    ("TRANSFORMER", "TRANSFORMING", "builds, tests and publishes", 3600, 600),
    ("REPORTER", "REPORTING", "reads the published tables", 300, 60),
    ("CI", "CI", "makes databases of pull requests", 1800, 600),
] %}
{% set warehouses = jobs + [
    ("REPORTER", "APP", "runs the dashboards inside Snowflake", 86400, 60),
] %}
{# What reads has a limit of its own, so that no reader stops the runs. #}
{% set monitors = [
    ("MONITOR", credits, ("LOADING", "TRANSFORMING", "CI")),
    ("READING_MONITOR", reading_credits, ("REPORTING", "APP")),
] %}
use role useradmin;
{% for role, _, purpose, _, _ in jobs %}

create role if not exists {{ prefix }}_{{ role }};
alter role {{ prefix }}_{{ role }} set comment = '{{ purpose }}';
grant role {{ prefix }}_{{ role }} to role sysadmin;
{% endfor %}

-- A warehouse that was made bigger, or of another generation, stays so.
use role sysadmin;
{% for role, warehouse, purpose, run_seconds, wait_seconds in warehouses %}

create warehouse if not exists {{ prefix }}_{{ warehouse }} with
    warehouse_size = xsmall
    generation = '1'
    initially_suspended = true;
alter warehouse {{ prefix }}_{{ warehouse }} set
    auto_suspend = 60
    auto_resume = true
    statement_timeout_in_seconds = {{ run_seconds }}
    statement_queued_timeout_in_seconds = {{ wait_seconds }}
    comment = '{{ purpose }}';
grant usage on warehouse {{ prefix }}_{{ warehouse }} to role {{ prefix }}_{{ role }};
{% endfor %}

-- Resource monitors and privileges on the account are for account
-- administrators alone. CI makes the databases of pull requests.
use role accountadmin;

{% for monitor, quota, watched in monitors %}
create resource monitor if not exists {{ prefix }}_{{ monitor }} with
    credit_quota = {{ quota }}
    frequency = monthly
    start_timestamp = immediately
    triggers
        on 75 percent do notify
        on 95 percent do suspend
        on 100 percent do suspend_immediate;
alter resource monitor {{ prefix }}_{{ monitor }} set
    credit_quota = {{ quota }}
    triggers
        on 75 percent do notify
        on 95 percent do suspend
        on 100 percent do suspend_immediate;
{% for warehouse in watched %}
alter warehouse {{ prefix }}_{{ warehouse }} set
    resource_monitor = {{ prefix }}_{{ monitor }};
{% endfor %}
{% endfor %}
grant create database on account to role {{ prefix }}_CI;
{% if logins %}

-- A service user for each role that has a key or an identity; no password.
use role useradmin;
{% endif %}
{% for role, warehouse, _, _, _ in jobs if role in logins %}
{% set user = prefix ~ "_" ~ role %}
{% set key, subject = logins[role] %}

create user if not exists {{ user }}
    type = service
    default_role = {{ user }}
    default_warehouse = {{ prefix }}_{{ warehouse }}
    default_secondary_roles = ();
-- Whatever the account has as its own defaults.
alter user {{ user }} set
{% for name, value in session.items() %}
    {{ name | lower }} = {{ "'" ~ value ~ "'" if value is string else value }}
{{- ';' if loop.last }}
{% endfor %}
{% if key %}
alter user {{ user }} set rsa_public_key = '{{ key }}';
{% endif %}
{% if subject %}
alter user {{ user }} set workload_identity = (
    type = oidc
    issuer = '{{ issuer }}'
    subject = '{{ subject }}'
    oidc_audience_list = ('{{ audience }}')
);
{% endif %}
grant role {{ user }} to user {{ user }};
{% endfor %}
