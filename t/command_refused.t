# What cqrs_command refuses, and with which problem document.

use strict;
use warnings;

use Cqrs::TestNginx services => 0;

no_long_string();

# No broker is needed for what never gets so far; what gets so far is 503 here.

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(http_config => 'cqrs_rabbitmq amqp://127.0.0.1:1/; cqrs_partitions 4;')
        unless defined $block->http_config;
    $block->set_value(config => <<'CONFIG') unless defined $block->config;
location ~ ^/(?<type>.*)/(?<stream>[^/]*)$ { cqrs_command $type stream=$stream; }
location = /put { cqrs_command deposit stream=a methods=PUT,PATCH; }
location = /all { cqrs_command deposit stream=a methods=POST,PUT,PATCH,DELETE; }
location = /arg { cqrs_command deposit stream=$arg_s; }
location = /if  { cqrs_command deposit stream=a; if ($arg_x) { set $y 1; } }
CONFIG
    $block->set_value(more_headers => 'Content-Type: application/json')
        unless defined $block->more_headers;
});

plan('no_plan');

run_tests();

__DATA__

=== TEST 1: a method that is not the location's
--- request
GET /deposit/account-1
--- error_code: 405
--- response_headers
Allow: POST
Content-Type: application/problem+json
--- response_body chomp
{"type":"urn:ngx-cqrs:problem:method-not-allowed","title":"method not allowed","status":405,"detail":"a command is sent by POST"}


=== TEST 2: methods of one's own
--- request
POST /put
{}
--- error_code: 405
--- response_headers
Allow: PUT, PATCH


=== TEST 3: PUT goes as far as the broker
--- request
PUT /put
{}
--- error_code: 503
--- response_headers
Retry-After: 1
--- response_body_like: "urn:ngx-cqrs:problem:broker-unavailable"


=== TEST 4: DELETE has a body, too
--- request
DELETE /all
{}
--- error_code: 503


=== TEST 5: no Content-Type
--- more_headers
X: y
--- request
POST /deposit/account-1
{}
--- error_code: 415
--- response_body_like: "urn:ngx-cqrs:problem:unsupported-media-type"


=== TEST 6: a form
--- more_headers
Content-Type: application/x-www-form-urlencoded
--- request
POST /deposit/account-1
{}
--- error_code: 415


=== TEST 7: almost JSON
--- more_headers
Content-Type: application/jsonx
--- request
POST /deposit/account-1
{}
--- error_code: 415


=== TEST 8: a kind of JSON, with a parameter
--- more_headers
Content-Type: Application/vnd.bank+JSON ; charset=utf-8
--- request
POST /deposit/account-1
{}
--- error_code: 503


=== TEST 9: no body
--- request
POST /deposit/account-1
--- error_code: 400
--- response_body_like: "urn:ngx-cqrs:problem:empty-body"


=== TEST 10: a syntax error, and where it is
--- request eval
"POST /deposit/account-1\n{\"a\":\n  x}"
--- error_code: 400
--- response_body chomp
{"type":"urn:ngx-cqrs:problem:invalid-json","title":"invalid json","status":400,"detail":"the body is not a JSON object: line 2, column 3: invalid token"}


=== TEST 11: a list is no object
--- request
POST /deposit/account-1
[1]
--- error_code: 400
--- response_body_like: not an object


=== TEST 12: a member twice
--- request
POST /deposit/account-1
{"amount":1,"amount":2}
--- error_code: 400
--- response_body_like: duplicate object key


=== TEST 13: a NUL in a text
--- request
POST /deposit/account-1
{"a":"\u0000"}
--- error_code: 400
--- response_body_like: u0000 is not allowed


=== TEST 14: bytes that are no UTF-8
--- request eval
"POST /deposit/account-1\n{\"a\":\"\xff\"}"
--- error_code: 400
--- response_body_like: "urn:ngx-cqrs:problem:invalid-json"


=== TEST 15: too deep
--- request eval
"POST /deposit/account-1\n{\"a\":" . "[" x 64 . "]" x 64 . "}"
--- error_code: 400
--- response_body_like: nested deeper than 64 levels


=== TEST 16: a type that is none
--- request
POST /De-posit/account-1
{}
--- error_code: 404
--- response_body_like: "urn:ngx-cqrs:problem:no-such-command"


=== TEST 17: a type with a wildcard of AMQP's
--- request
POST /deposit.%23/account-1
{}
--- error_code: 404


=== TEST 18: an empty type
--- request
POST //account-1
{}
--- error_code: 404


=== TEST 19: a type of 100 characters
--- request eval
"POST /" . "a" x 100 . "/account-1\n{}"
--- error_code: 503


=== TEST 20: a type of 101 characters
--- request eval
"POST /" . "a" x 101 . "/account-1\n{}"
--- error_code: 404


=== TEST 21: an empty stream
--- request
POST /arg
{}
--- error_code: 400
--- response_body_like: "urn:ngx-cqrs:problem:invalid-stream"


=== TEST 22: a line feed in a stream
--- request
POST /deposit/account-1%0A2
{}
--- error_code: 400
--- response_body_like: "urn:ngx-cqrs:problem:invalid-stream"


=== TEST 23: a stream that is no UTF-8
--- request
POST /deposit/account-%FF
{}
--- error_code: 400


=== TEST 24: a stream of 256 bytes
--- request eval
"POST /deposit/" . "a" x 256 . "\n{}"
--- error_code: 400


=== TEST 25: a stream of 255 bytes
--- request eval
"POST /deposit/" . "a" x 255 . "\n{}"
--- error_code: 503


=== TEST 26: an Idempotency-Key with a blank
--- more_headers
Content-Type: application/json
Idempotency-Key: a b
--- request
POST /deposit/account-1
{}
--- error_code: 400
--- response_body_like: "urn:ngx-cqrs:problem:invalid-idempotency-key"


=== TEST 27: an if inside of the location keeps the handler
--- request
POST /if?x=1
{}
--- error_code: 503


=== TEST 28: too large is nginx's own 413
--- config
location /x { client_max_body_size 10; cqrs_command deposit stream=a; }
--- request
POST /x
{"amount":1234567890}
--- error_code: 413


=== TEST 29: without a broker
--- http_config
cqrs_partitions 4;
--- config
location /x { cqrs_command deposit stream=a; }
--- must_die
--- error_log
"cqrs_command" needs "cqrs_rabbitmq" in location "/x" or around it


=== TEST 30: without a number of partitions
--- http_config
cqrs_rabbitmq amqp://127.0.0.1:1/;
--- config
location /x { cqrs_command deposit stream=a; }
--- must_die
--- error_log
"cqrs_command" needs "cqrs_partitions", or "cqrs_postgres" to ask for their number, in location "/x"


=== TEST 31: no partitions
--- http_config
cqrs_partitions 0;
--- config
--- must_die
--- error_log
value must be between 1 and 100000


=== TEST 32: without a stream
--- config
location /x { cqrs_command deposit; }
--- must_die
--- error_log
"cqrs_command" does not say which stream the command is for, it needs stream=


=== TEST 33: an unknown parameter
--- config
location /x { cqrs_command deposit stream=a queue=b; }
--- must_die
--- error_log
invalid parameter "queue=b", known are stream=, methods=, wait=, body= and causation=


=== TEST 34: an unknown method
--- config
location /x { cqrs_command deposit stream=a methods=POST,GET; }
--- must_die
--- error_log
invalid methods "POST,GET", a list of POST, PUT, PATCH and DELETE is known


=== TEST 35: an unknown variable
--- config
location /x { cqrs_command deposit stream=$nothing; }
--- must_die
--- error_log
unknown "nothing" variable


=== TEST 36: twice
--- config
location /x { cqrs_command deposit stream=a; cqrs_command deposit stream=a; }
--- must_die
--- error_log
"cqrs_command" directive is duplicate


=== TEST 37: a broker without an URL
--- http_config
cqrs_rabbitmq timeout=1s;
--- config
--- must_die
--- error_log
"cqrs_rabbitmq" names no broker, it needs "amqp://user:password@host/vhost"


=== TEST 38: a broker of another kind
--- http_config
cqrs_rabbitmq stomp://user:T0psecret@127.0.0.1/;
--- config
--- must_die
--- error_log
"cqrs_rabbitmq" takes URLs that begin with "amqp://" or "amqps://"
--- no_error_log
T0psecret


=== TEST 39: a user without a password
--- http_config
cqrs_rabbitmq amqp://127.0.0.1/ amqp://user@127.0.0.1/;
--- config
--- must_die
--- error_log
URL 2 of "cqrs_rabbitmq" has a user but no password


=== TEST 40: no host
--- http_config
cqrs_rabbitmq amqp://user:T0psecret@/vhost;
--- config
--- must_die
--- error_log
URL 1 of "cqrs_rabbitmq" has no host
--- no_error_log
T0psecret


=== TEST 41: a host that nobody knows
--- http_config
cqrs_rabbitmq amqp://user:T0psecret@nobody.invalid/vhost;
--- config
--- must_die
--- error_log
URL 1 of "cqrs_rabbitmq": host not found
--- no_error_log
T0psecret


=== TEST 42: a port that is none
--- http_config
cqrs_rabbitmq amqp://127.0.0.1:99999/;
--- config
--- must_die
--- error_log
URL 1 of "cqrs_rabbitmq": invalid port


=== TEST 43: a time that is none
--- http_config
cqrs_rabbitmq amqp://127.0.0.1/ timeout=soon;
--- config
--- must_die
--- error_log
invalid "timeout=soon" in "cqrs_rabbitmq"


=== TEST 44: a number out of range
--- http_config
cqrs_rabbitmq amqp://127.0.0.1/ max_unconfirmed=0;
--- config
--- must_die
--- error_log
invalid "max_unconfirmed=0" in "cqrs_rabbitmq"


=== TEST 45: a user that AMQP can't write
--- http_config eval
"cqrs_rabbitmq amqp://" . "a" x 256 . ":T0psecret\@127.0.0.1/;"
--- config
--- must_die
--- error_log
has a user, password or vhost of more than 255 bytes
--- no_error_log
T0psecret


=== TEST 46: waiting for outcomes without Redis
--- config
location /x { cqrs_command deposit stream=a wait=5s; }
--- must_die
--- error_log
"cqrs_command" with wait= needs "cqrs_redis" in location "/x" or around it


=== TEST 47: a wait that is no time
--- config
location /x { cqrs_command deposit stream=a wait=long; }
--- must_die
--- error_log
invalid wait "long", it is a time such as 30s, or 0 for never


=== TEST 48: without Redis a wish to wait is passed over
--- more_headers
Content-Type: application/json
Prefer: wait=10
--- request
POST /deposit/account-1
{}
--- error_code: 503


=== TEST 49: a body that is neither required nor optional
--- config
location /x { cqrs_command deposit stream=a body=maybe; }
--- must_die
--- error_log
invalid body "maybe", it is required or optional


=== TEST 50: a form with a file
--- more_headers
Content-Type: multipart/form-data; boundary=x
--- request
POST /deposit/account-1
{}
--- error_code: 415


=== TEST 51: TLS with certificates that are not there
--- http_config
cqrs_rabbitmq amqps://127.0.0.1/ ssl_trusted_certificate=/nowhere/ca.crt;
--- config
--- must_die
--- error_log
"/nowhere/ca.crt"


=== TEST 52: TLS with a flag that is none
--- http_config
cqrs_rabbitmq amqps://127.0.0.1/ ssl_verify=perhaps;
--- config
--- must_die
--- error_log
invalid "ssl_verify=perhaps" in "cqrs_rabbitmq"


=== TEST 53: a command that nobody takes is nothing else
--- config
location /x { cqrs_command deposit stream=a; cqrs_command_unroutable 500; }
--- must_die
--- error_log
invalid value "500"
