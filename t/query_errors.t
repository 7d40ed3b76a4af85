# What cqrs_query refuses, in PostgREST's words, and what stays inert.

use strict;
use warnings;

BEGIN { $ENV{CQRS_TEST_JWT_KEY} = 'a-key-that-is-long-enough-for-hs256' }

use Cqrs::Jwt;
use Cqrs::Query ':testnginx';
use Cqrs::TestNginx services => 0;

no_long_string();

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => <<'CONFIG') unless defined $block->http_config;
cqrs_postgres "$TEST_NGINX_POSTGRES" pool=1;
CONFIG
    $block->set_value(config => <<'CONFIG') unless defined $block->config;
location /api/ { cqrs_query schema=api; }
CONFIG
});

plan('no_plan');

run_tests();

__DATA__

=== TEST 1: an unknown table, and one like it
--- request
GET /api/item
--- error_code: 404
--- response_body chomp
{"code":"PGRST205","message":"Could not find the table 'api.item' in the schema cache","details":null,"hint":"Perhaps you meant the table 'api.items'"}
--- response_headers
Content-Type: application/json; charset=utf-8
Proxy-Status: PostgREST; error=PGRST205


=== TEST 2: an unknown table like nothing
--- request
GET /api/zzzzzzzz
--- error_code: 404
--- response_body chomp
{"code":"PGRST205","message":"Could not find the table 'api.zzzzzzzz' in the schema cache","details":null,"hint":null}


=== TEST 3: partitions are not exposed
--- request
GET /api/parted_a
--- error_code: 404
--- response_body_like: "code":"PGRST205"


=== TEST 4: an unknown column in each place
--- request eval
["GET /api/items?foo=eq.1", "GET /api/items?select=foo", "GET /api/items?order=foo"]
--- error_code eval
[400, 400, 400]
--- response_body eval
[(qq({"code":"42703","message":"column items.foo does not exist","details":null,"hint":null})) x 3]


=== TEST 5: a filter that is none
--- request
GET /api/items?id=5
--- error_code: 400
--- response_body chomp
{"code":"PGRST100","message":"\"failed to parse filter (5)\" (line 1, column 1)","details":"unexpected \"5\" expecting \"not\" or operator (eq, gt, ...)","hint":null}


=== TEST 6: values that are not of the column's type
--- request eval
["GET /api/items?id=eq.x", "GET /api/items?id=in.(1,x)", "GET /api/items?id=eq.99999999999999999999", "GET /api/items?created=eq.2024-02-30"]
--- error_code eval
[400, 400, 400, 400]
--- response_body_like eval
[qr/\A\{"code":"22P02","message":"invalid input syntax for type bigint: \\"x\\"","details":null,"hint":null\}\z/,
 qr/"22P02"/, qr/"22003"/, qr/"22008"/]
--- no_error_log
[error]


=== TEST 7: an operator that the type lacks
--- request
GET /api/items?id=like.1*
--- error_code: 404
--- response_body_like: "code":"42883"


=== TEST 8: a negative limit
--- request
GET /api/items?limit=-1
--- error_code: 416
--- response_body chomp
{"code":"PGRST103","message":"Requested range not satisfiable","details":"Limit should be greater than or equal to zero.","hint":null}


=== TEST 9: permission denied, without a token
--- request
GET /api/secret
--- error_code: 401
--- response_body chomp
{"code":"42501","message":"permission denied for table secret","details":null,"hint":null}
--- response_headers
WWW-Authenticate: Bearer


=== TEST 10: permission denied, with a token
--- config
cqrs_jwt_key HS256 env:CQRS_TEST_JWT_KEY;
location /api/ { cqrs_query schema=api; }
--- request
GET /api/secret
--- more_headers eval
'Authorization: Bearer ' . Cqrs::Jwt::token({ sub => 'alice', exp => time + 600 }, key => $ENV{CQRS_TEST_JWT_KEY})
--- error_code: 403
--- response_body_like: "code":"42501"


=== TEST 11: a view that fails
--- request
GET /api/broken
--- error_code: 400
--- response_body_like: "code":"22012"


=== TEST 12: other methods
--- request eval
["POST /api/items\n{}", "DELETE /api/items?id=eq.1", "PATCH /api/items\n{}", "PUT /api/items\n{}",
 "POST /api/rpc/nap\n{}"]
--- error_code eval
[405, 405, 405, 405, 405]
--- response_body_like eval
[(qr/"code":"PGRST117"/) x 4, qr/"code":"PGRST101"/]
--- response_headers eval
[("Allow: GET, HEAD, OPTIONS") x 5]


=== TEST 13: paths that name no relation
--- request eval
["GET /api/items/1", "GET /api/items/", "GET /api/rpc/nap/1"]
--- error_code eval
[404, 404, 404]
--- response_body_like eval
[(qr/PGRST125/) x 3]


=== TEST 14: what is not understood is refused, not ignored
--- request eval
["GET /api/items?or=()", "GET /api/items?and=(id.eq.1", "GET /api/items?select=id::", "GET /api/items?id=like(some).1",
 "GET /api/items?id=1", "GET /api/items?select=id,other(id)", "GET /api/items?other.id=eq.1",
 "GET /api/items?select=id.sum()", "GET /api/items?order=other(id)"]
--- error_code eval
[(400) x 9]
--- response_body_like eval
[(qr/"code":"PGRST100"/) x 5, qr/"code":"PGRST200"/, qr/"code":"PGRST108"/, qr/"code":"PGRST123"/,
 qr/"code":"PGRST108"/]


=== TEST 15: SQL in every place a request has
--- request eval
["GET /api/items?id=eq.1%27;drop%20table%20api.items--",
 "GET /api/items?name=eq.%27%20or%20%271%27=%271",
 "GET /api/items?name=eq.\\%27%20or%201=1--",
 "GET /api/items?name=in.(%22%7D%27%20or%201=1--%22)",
 "GET /api/items?select=id,%22x%22%22,1::%22:name&id=eq.2",
 "GET /api/items?select=%22x\\%22,%20(select%20pg_sleep(9))%20as%20\\%22y%22:id&id=eq.2",
 "GET /api/items?select=%22id\\%22%20from%20api.secret--%22",
 "GET /api/items?order=%22id\\%22;drop%20table%20api.items--%22",
 "GET /api/items?order=id.desc;drop",
 "GET /api/items?%22id\\%22=1%20or%20\\%22id%22=eq.1",
 "GET /api/items%22;drop%20table%20api.items--",
 "GET /api/items?limit=1;drop%20table%20api.items",
 "GET /api/items?limit=1%20offset%201",
 "GET /api/items?id=is.null)%20or%20(1=1"]
--- error_code eval
[400, 200, 200, 200, 400, 200, 400, 400, 200, 400, 404, 200, 200, 200]
--- response_body_like eval
[qr/PGRST|22P02/, qr/\A\[\]\z/, qr/\A\[\]\z/, qr/\A\[\]\z/, qr/PGRST100/,
 qr/\A\[\{"x\\", \(select pg_sleep\(9\)\) as \\"y":2\}\]\z/,
 qr/42703/, qr/PGRST100/, qr/"id":5/, qr/42703|PGRST100/, qr/PGRST205/, qr/apple/, qr/apple/, qr/\A\[\]\z/]


=== TEST 16: the table is still there after that
--- request
GET /api/items?select=id&id=eq.5
--- response_body chomp
[{"id":5}]


=== TEST 17: NUL and what is not UTF-8
--- request eval
["GET /api/items?name=eq.a%00b", "GET /api/items?name=eq.%ff", "GET /api/%ff%c3%28", "GET /api/items?%ff=eq.1", "GET /api/items?select=%ff:id&id=eq.1"]
--- error_code eval
[400, 400, 404, 400, 400]
--- response_body_like eval
[qr/"code":"22021"/, qr/"code":"22021"/, qr/'api\.\?\?\('/, qr/"column items\.\? does/, qr/"code":"22021"/]


=== TEST 18: nothing is written, whatever a view tries
--- request
GET /api/writes
--- error_code: 405
--- response_body_like: "code":"25006"


=== TEST 19: no token where one is required
--- config
cqrs_jwt_key HS256 env:CQRS_TEST_JWT_KEY;
location /api/ { cqrs_query schema=api; }
--- request
GET /api/items
--- error_code: 401


=== TEST 20: a token in an argument is no filter
--- config
cqrs_jwt_key HS256 env:CQRS_TEST_JWT_KEY;
cqrs_jwt_from header argument:access_token;
location /api/ { cqrs_query schema=api; }
--- request eval
my $token = Cqrs::Jwt::token({ sub => 'alice', exp => time + 600 }, key => $ENV{CQRS_TEST_JWT_KEY});
["GET /api/items?access_token=$token&select=id&id=eq.1",
 "GET /api/items?select=id&access_token=$token&id=eq.1",
 "GET /api/items?select=id&id=eq.1&access_token=$token"]
--- error_code eval
[200, 200, 200]
--- response_body eval
['[{"id":1}]', '[{"id":1}]', '[{"id":1}]']
