-- Part "account": what the account holds once, whatever databases there are.
-- Who runs it: a person with ACCOUNTADMIN, which contains the roles used here.

use role useradmin;
{% for role in roles %}

create role if not exists {{ role.name }};
alter role {{ role.name }} set comment = '{{ role.purpose }}';
grant role {{ role.name }} to role sysadmin;
{% endfor %}

-- A warehouse that was made bigger stays so.
use role sysadmin;
{% for role in roles %}

create warehouse if not exists {{ role.warehouse }} with
    warehouse_size = xsmall
    initially_suspended = true;
alter warehouse {{ role.warehouse }} set
    auto_suspend = 60
    auto_resume = true
    statement_timeout_in_seconds = {{ role.statement_seconds }}
    statement_queued_timeout_in_seconds = {{ role.queued_seconds }}
    comment = '{{ role.purpose }}';
grant usage on warehouse {{ role.warehouse }} to role {{ role.name }};
{% endfor %}

-- Resource monitors and privileges on the account are for account
-- administrators alone. CI makes the databases of pull requests.
use role accountadmin;

create resource monitor if not exists {{ monitor }} with
    credit_quota = {{ credits }}
    frequency = monthly
    start_timestamp = immediately
    triggers
        on 75 percent do notify
        on 95 percent do suspend
        on 100 percent do suspend_immediate;
alter resource monitor {{ monitor }} set
    credit_quota = {{ credits }}
    triggers
        on 75 percent do notify
        on 95 percent do suspend
        on 100 percent do suspend_immediate;
{% for role in roles %}
alter warehouse {{ role.warehouse }} set resource_monitor = {{ monitor }};
{% endfor %}
grant create database on account to role {{ ci.name }};
{% if users %}

-- A service user for each role that has a key or an identity; no password.
use role useradmin;
{% endif %}
{% for user in users %}

create user if not exists {{ user.name }}
    type = service
    default_role = {{ user.name }}
    default_warehouse = {{ user.warehouse }}
    default_secondary_roles = ();
{% if user.public_key %}
alter user {{ user.name }} set rsa_public_key = '{{ user.public_key }}';
{% endif %}
{% if user.subject %}
alter user {{ user.name }} set workload_identity = (
    type = oidc
    issuer = '{{ issuer }}'
    subject = '{{ user.subject }}'
    oidc_audience_list = ('{{ audience }}')
);
{% endif %}
grant role {{ user.name }} to user {{ user.name }};
{% endfor %}
