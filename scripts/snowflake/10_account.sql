-- Part "account": what the account holds once, whatever databases there are.
-- Who runs it: a person with ACCOUNTADMIN, which contains the roles used here.

{# Each role has a warehouse of its own; a statement may run, and wait, for seconds. #}
{% set jobs = [
    ("LOADER", "LOADING", "loads files into the raw tables", 3600, 600),
    ("TRANSFORMER", "TRANSFORMING", "builds, tests and publishes", 3600, 600),
    ("REPORTER", "REPORTING", "reads the published tables", 300, 60),
    ("CI", "CI", "makes databases of pull requests", 1800, 600),
] %}
use role useradmin;
{% for role, _, purpose, _, _ in jobs %}

create role if not exists {{ prefix }}_{{ role }};
alter role {{ prefix }}_{{ role }} set comment = '{{ purpose }}';
grant role {{ prefix }}_{{ role }} to role sysadmin;
{% endfor %}

-- A warehouse that was made bigger stays so.
use role sysadmin;
{% for role, warehouse, purpose, run_seconds, wait_seconds in jobs %}

create warehouse if not exists {{ prefix }}_{{ warehouse }} with
    warehouse_size = xsmall
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

create resource monitor if not exists {{ prefix }}_MONITOR with
    credit_quota = {{ credits }}
    frequency = monthly
    start_timestamp = immediately
    triggers
        on 75 percent do notify
        on 95 percent do suspend
        on 100 percent do suspend_immediate;
alter resource monitor {{ prefix }}_MONITOR set
    credit_quota = {{ credits }}
    triggers
        on 75 percent do notify
        on 95 percent do suspend
        on 100 percent do suspend_immediate;
{% for _, warehouse, _, _, _ in jobs %}
alter warehouse {{ prefix }}_{{ warehouse }} set resource_monitor = {{ prefix }}_MONITOR;
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
