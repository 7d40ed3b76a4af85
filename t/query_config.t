# What nginx -t refuses of cqrs_postgres and cqrs_query, and with which words.
# No message may hold a piece of a connection string: it may hold a password.

use strict;
use warnings;

use Cqrs::TestNginx services => 0;

no_long_string();

plan('no_plan');

run_tests();

__DATA__

=== TEST 1: cqrs_query without a database
--- config
location /api/ { cqrs_query schema=api; }
--- must_die
--- error_log
"cqrs_query" in location "/api/" needs "cqrs_postgres"


=== TEST 2: cqrs_query without a schema
--- http_config
cqrs_postgres "host=127.0.0.1";
--- config
location /api/ { cqrs_query max_rows=1; }
--- must_die
--- error_log
"cqrs_query" directive needs "schema="


=== TEST 3: an empty schema
--- http_config
cqrs_postgres "host=127.0.0.1";
--- config
location /api/ { cqrs_query schema=api,,other; }
--- must_die
--- error_log
has an empty name in "schema"


=== TEST 4: an unknown parameter
--- http_config
cqrs_postgres "host=127.0.0.1";
--- config
location /api/ { cqrs_query schema=api colour=red; }
--- must_die
--- error_log
invalid parameter "colour=red"


=== TEST 5: a bad max_rows
--- http_config
cqrs_postgres "host=127.0.0.1";
--- config
location /api/ { cqrs_query schema=api max_rows=many; }
--- must_die
--- error_log
has an invalid "max_rows"


=== TEST 6: twice in a location
--- http_config
cqrs_postgres "host=127.0.0.1";
--- config
location /api/ { cqrs_query schema=api; cqrs_query schema=other; }
--- must_die
--- error_log
"cqrs_query" directive is duplicate


=== TEST 7: a location of a regular expression needs the relation
--- http_config
cqrs_postgres "host=127.0.0.1";
--- config
location ~ ^/api/ { cqrs_query schema=api; }
--- must_die
--- error_log
needs "relation=" in a location that is no prefix


=== TEST 8: a malformed connection string is not shown
--- http_config
cqrs_postgres "host=127.0.0.1 password=geheim wort";
--- config
--- must_die
--- error_log
invalid connection string in "cqrs_postgres"
--- no_error_log
geheim
wort


=== TEST 9: a malformed URI is not shown
--- http_config
cqrs_postgres "postgresql://user:geheim@[127.0.0.1/bank";
--- config
--- must_die
--- error_log
invalid connection string in "cqrs_postgres"
--- no_error_log
geheim


=== TEST 10: a connection string without quotes is not shown
--- http_config
cqrs_postgres host=127.0.0.1 password=geheim pool=2;
--- config
--- must_die
--- error_log
a connection string with blanks must be in quotes
--- no_error_log
geheim


=== TEST 11: an unknown key of libpq
--- http_config
cqrs_postgres "host=127.0.0.1 colour=geheim";
--- config
--- must_die
--- error_log
with keys that libpq knows
--- no_error_log
geheim


=== TEST 12: bad numbers and times
--- http_config
cqrs_postgres "host=127.0.0.1" pool=0;
--- config
--- must_die
--- error_log
invalid value in "pool=0" of "cqrs_postgres"


=== TEST 13: a bad time
--- http_config
cqrs_postgres "host=127.0.0.1" timeout=soon;
--- config
--- must_die
--- error_log
invalid value in "timeout=soon" of "cqrs_postgres"


=== TEST 14: a queue of none
--- http_config
cqrs_postgres "host=127.0.0.1" queue=0;
--- config
--- must_die
--- error_log
invalid value in "queue=0" of "cqrs_postgres"


=== TEST 15: hosts and ports that do not match
--- http_config
cqrs_postgres "host=127.0.0.1,127.0.0.2,127.0.0.3 port=1,2";
--- config
--- must_die
--- error_log
"cqrs_postgres" has 3 hosts and 2 ports


=== TEST 16: a host that does not exist
--- http_config
cqrs_postgres "host=no-such-host.invalid password=geheim";
--- config
--- must_die
--- error_log
in "cqrs_postgres", host "no-such-host.invalid"
--- no_error_log
geheim


=== TEST 17: a service file could name a host that is not resolved
--- http_config
cqrs_postgres "service=bank";
--- config
--- must_die
--- error_log
"service" is not supported in "cqrs_postgres"


=== TEST 18: twice in a block
--- http_config
cqrs_postgres "host=127.0.0.1";
cqrs_postgres "host=127.0.0.1";
--- config
--- must_die
--- error_log
"cqrs_postgres" directive is duplicate
