-- Part "bucket": lets Snowflake read one prefix of a bucket itself.
-- Who runs it: a person with ACCOUNTADMIN, after the parts database and access.

use role accountadmin;

create storage integration if not exists {{ prefix }}_BUCKET
    type = external_stage
    storage_provider = 'S3'
    storage_aws_role_arn = '{{ bucket_role }}'
    enabled = true
    storage_allowed_locations = ('{{ bucket }}');
alter storage integration {{ prefix }}_BUCKET set
    storage_aws_role_arn = '{{ bucket_role }}'
    enabled = true
    storage_allowed_locations = ('{{ bucket }}');
grant usage on integration {{ prefix }}_BUCKET to role {{ owner }};
grant usage on integration {{ prefix }}_BUCKET to role {{ prefix }}_LOADER;

use role {{ owner }};

create stage if not exists {{ database }}.raw.bucket
    url = '{{ bucket }}'
    storage_integration = {{ prefix }}_BUCKET;
alter stage {{ database }}.raw.bucket set
    url = '{{ bucket }}'
    storage_integration = {{ prefix }}_BUCKET;
grant usage on stage {{ database }}.raw.bucket
    to database role {{ database }}.raw_write;
