-- Part "teardown": removes the database with all its data, and then what the
-- other parts made in the account.
-- Who runs it: a person with ACCOUNTADMIN.

use role {{ owner }};

drop database if exists {{ dropped_database }};

use role accountadmin;

drop integration if exists {{ integration }};
{% for role in roles %}
drop user if exists {{ role.name }};
{% endfor %}
drop network policy if exists {{ network_policy }};
{% for role in roles %}
drop warehouse if exists {{ role.warehouse }};
{% endfor %}
{% for role in roles %}
drop role if exists {{ role.name }};
{% endfor %}
drop resource monitor if exists {{ monitor }};
