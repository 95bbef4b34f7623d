-- Part "whole-run": lets one role go the whole way, as `reelhouse run` does.
-- Who runs it: a person with ACCOUNTADMIN. Leave it out where loading and
-- transforming have users of their own.

use role useradmin;

grant role {{ prefix }}_LOADER to role {{ prefix }}_TRANSFORMER;
