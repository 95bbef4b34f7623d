-- Part "network", optional: service users may come from these addresses alone.
-- Who runs it: a person with SECURITYADMIN.

use role securityadmin;

create network policy if not exists {{ network_policy }}
    allowed_ip_list = ({{ addresses }});
alter network policy {{ network_policy }} set
    allowed_ip_list = ({{ addresses }});

{% for user in users %}
alter user {{ user.name }} set network_policy = {{ network_policy }};
{% endfor %}
