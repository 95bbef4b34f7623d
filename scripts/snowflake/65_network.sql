-- Part "network", optional: service users may come from these addresses alone.
-- Who runs it: a person with SECURITYADMIN.

use role securityadmin;

create network policy if not exists {{ prefix }}_NETWORK
    allowed_ip_list = ({{ addresses }});
alter network policy {{ prefix }}_NETWORK set
    allowed_ip_list = ({{ addresses }});

{% for role in logins %}
alter user {{ prefix }}_{{ role }} set network_policy = {{ prefix }}_NETWORK;
{% endfor %}
