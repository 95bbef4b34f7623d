-- Part "enterprise": NEEDS ENTERPRISE EDITION; a trial of that edition has it.
-- Who runs it: a person with {{ owner }}, between each build and publish,
-- since dbt replaces tables and a new one has no policy. Clones keep theirs.
-- What is published already is masked too, for it stays until it changes.

use role {{ owner }};
use warehouse {{ prefix }}_TRANSFORMING;

create schema if not exists {{ database }}.policies with managed access;

-- Readers see another number for each user, always the same, so that joins and
-- counts hold. What it is made with is drawn here once and never leaves.
create table if not exists {{ database }}.policies.salt as
select uuid_string() as salt;
-- A policy may not select a value itself, yet may call what remembers one.
create function if not exists {{ database }}.policies.remembered_salt()
returns varchar
memoizable
as 'select salt from {{ database }}.policies.salt';
create masking policy if not exists {{ database }}.policies.user_id
    as (user_id number) returns number ->
    case
        when is_role_in_session('{{ prefix }}_TRANSFORMER') then user_id
        else to_number(
            left(
                sha2(user_id || {{ database }}.policies.remembered_salt()),
                15
            ),
            'XXXXXXXXXXXXXXX'
        )
    end;
grant usage on schema {{ database }}.policies to role {{ prefix }}_TRANSFORMER;
grant apply on masking policy {{ database }}.policies.user_id
    to role {{ prefix }}_TRANSFORMER;

use role {{ prefix }}_TRANSFORMER;

{% for schema in ('marts', 'serving', 'serving_next') %}
{% for table in masked_tables %}
alter table if exists {{ database }}.{{ schema }}.{{ table }}
    modify column user_id
    set masking policy {{ database }}.policies.user_id force;
{% endfor %}
{% endfor %}
-- Many readers at once: more clusters of the same size, while they are needed.
use role sysadmin;

alter warehouse {{ prefix }}_REPORTING set
    min_cluster_count = 1
    max_cluster_count = 3
    scaling_policy = standard;
