-- Part "drop-pull-request": removes the database of one pull request.
-- Who runs it: CI.

use role {{ owner }};

drop database if exists {{ database }};
