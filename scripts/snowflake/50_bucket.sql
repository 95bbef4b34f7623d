-- Part "bucket": lets Snowflake read one prefix of a bucket itself.
-- Who runs it: a person with ACCOUNTADMIN, after the parts database and access.

use role accountadmin;

create storage integration if not exists {{ integration }}
    type = external_stage
    storage_provider = 'S3'
    storage_aws_role_arn = '{{ bucket_role }}'
    enabled = true
    storage_allowed_locations = ('{{ bucket_url }}');
alter storage integration {{ integration }} set
    storage_aws_role_arn = '{{ bucket_role }}'
    enabled = true
    storage_allowed_locations = ('{{ bucket_url }}');
grant usage on integration {{ integration }} to role {{ owner }};

use role {{ owner }};

create stage if not exists {{ database }}.raw.bucket
    url = '{{ bucket_url }}'
    storage_integration = {{ integration }}
    file_format = (format_name = '{{ database }}.raw.csv_as_text');
alter stage {{ database }}.raw.bucket set
    url = '{{ bucket_url }}'
    storage_integration = {{ integration }};
grant usage on stage {{ database }}.raw.bucket
    to database role {{ database }}.raw_write;
