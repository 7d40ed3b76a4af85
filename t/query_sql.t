# cqrs_sql: one statement behind one location, with the representations and roles
# of all queries.

use strict;
use warnings;

use Cqrs::Query ':testnginx';
use Cqrs::TestNginx services => 0;

no_long_string();

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => <<'CONFIG') unless defined $block->http_config;
cqrs_postgres "$TEST_NGINX_POSTGRES" pool=1;
CONFIG
    $block->set_value(config => <<'CONFIG') unless defined $block->config;
location = /cheap {
    cqrs_sql "select id, name from api.items where price between 1 and $1::numeric
               and ($2::text is null or name like $2) order by id;"
             $arg_most $arg_name;
}
location ~ ^/item/(\d+)$ {
    cqrs_sql "select name from api.items where id = $1 -- the last words" $1;
}
location = /who {
    cqrs_sql "select current_setting('request.path') as path,
                     current_setting('search_path') as path_of_names";
}
location = /one {
    cqrs_sql 'select $1::text as given' $arg_a;
}
CONFIG
});

plan('no_plan');

run_tests();

__DATA__

=== TEST 1: values of the request are its parameters
--- request
GET /cheap?most=1.50
--- response_body chomp
[{"id":1,"name":"apple"}]
--- response_headers
Content-Type: application/json; charset=utf-8
Content-Range: 0-0/*


=== TEST 2: a capture of the location is a parameter, too
--- request
GET /item/1
--- response_body chomp
[{"name":"apple"}]


=== TEST 3: one object where one is accepted
--- request
GET /item/1
--- more_headers
Accept: application/vnd.pgrst.object+json
--- response_body chomp
{"name":"apple"}


=== TEST 4: no row is no object
--- request
GET /item/99
--- more_headers
Accept: application/vnd.pgrst.object+json
--- error_code: 406
--- response_body_like: "code":"PGRST116"


=== TEST 5: a total where it is preferred
--- request
GET /item/1
--- more_headers
Prefer: count=exact
--- response_headers
Content-Range: 0-0/1


=== TEST 6: CSV
--- request
GET /cheap?most=1.50
--- more_headers
Accept: text/csv
--- response_body chomp
id,name
1,apple
--- response_headers
Content-Type: text/csv; charset=utf-8


=== TEST 7: HEAD counts the rows
--- request
HEAD /cheap?most=1.50
--- response_body:
--- response_headers
Content-Range: 0-0/*


=== TEST 8: an argument is decoded, and SQL in it is a value
--- request
GET /one?a=%27%3b+drop+table+x%3b--%2B%22
--- response_body chomp
[{"given":"'; drop table x;--+\""}]


=== TEST 9: an absent argument is null
--- request
GET /one
--- response_body chomp
[{"given":null}]


=== TEST 10: a NUL is refused
--- request
GET /one?a=x%00y
--- error_code: 400
--- response_body_like: "code":"22021"


=== TEST 11: a value that Postgres refuses is the client's fault
--- request
GET /cheap?most=much
--- error_code: 400
--- response_body_like: "code":"22P02"


=== TEST 12: the transaction knows the request
--- request
GET /who
--- response_body chomp
[{"path":"/who","path_of_names":"\"public\""}]


=== TEST 13: what changes something is refused
--- config
location = /write { cqrs_sql "with w as (delete from api.items returning id) select id from w"; }
--- request
GET /write
--- error_code: 400
--- response_body_like: "code":"0A000"


=== TEST 14: a function that writes is refused, too
--- config
location = /write { cqrs_sql "select api.write()"; }
--- request
GET /write
--- error_code: 405
--- response_body_like: "code":"25006"


=== TEST 15: other methods are refused
--- request
POST /one
--- error_code: 405
--- response_body_like: "code":"PGRST117"


=== TEST 16: a role is set where there is one
--- config
location = /who {
    cqrs_query_anonymous_role query_reader;
    cqrs_sql "select current_setting('role') as who";
}
--- request
GET /who
--- response_body chomp
[{"who":"query_reader"}]
