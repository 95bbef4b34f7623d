-- Part "teardown": removes the database with all its data, and then what the
-- other parts made in the account.
-- Who runs it: a person with ACCOUNTADMIN.

use role {{ owner }};

drop database if exists {{ teardown }};

use role accountadmin;

drop integration if exists {{ prefix }}_BUCKET;
{% for role in roles %}
drop user if exists {{ prefix }}_{{ role }};
{% endfor %}
drop network policy if exists {{ prefix }}_NETWORK;
{% for warehouse in ("LOADING", "TRANSFORMING", "REPORTING", "APP", "CI") %}
drop warehouse if exists {{ prefix }}_{{ warehouse }};
{% endfor %}
{% for role in roles %}
drop role if exists {{ prefix }}_{{ role }};
{% endfor %}
drop role if exists {{ prefix }}_VIEWER;
drop resource monitor if exists {{ prefix }}_MONITOR;
drop resource monitor if exists {{ prefix }}_READING_MONITOR;
