# What cqrs_query reads: columns, filters, order, pages.

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
location /api/ { cqrs_query schema=api; }
CONFIG
});

plan('no_plan');

run_tests();

__DATA__

=== TEST 1: a row of every type as json_agg writes it
--- request
GET /api/items?id=eq.1
--- response_body chomp
[{"id":1,"name":"apple","price":1.50,"done":true,"created":"2024-01-31","tags":["red","green"],"data":{"a": [1, "x"]}}]
--- response_headers
Content-Type: application/json; charset=utf-8
Content-Range: 0-0/*
Content-Length: 119


=== TEST 2: several rows as an array
--- request
GET /api/items?id=lte.2&select=id&order=id
--- response_body eval
qq([{"id":1}, \n {"id":2}])
--- response_headers
Content-Range: 0-1/*


=== TEST 3: no row is an empty array
--- request
GET /api/items?id=eq.99
--- response_body chomp
[]
--- response_headers
Content-Range: */*


=== TEST 4: HEAD gives the headers and neither length nor body
--- request
HEAD /api/items?id=lte.2
--- response_body:
--- response_headers
Content-Type: application/json; charset=utf-8
Content-Range: 0-1/*
! Content-Length
! Transfer-Encoding


=== TEST 5: alias, order of columns
--- request
GET /api/items?select=n:name,id,%22the%20price%22:price&id=eq.2
--- response_body chomp
[{"n":"pear","id":2,"the price":2.25}]


=== TEST 6: a column twice, beside a star
--- request
GET /api/cheap?select=id,*&id=eq.1
--- response_body chomp
[{"id":1,"id":1,"name":"apple"}]


=== TEST 7: an empty select is all columns
--- request
GET /api/cheap?select=&id=eq.1
--- response_body chomp
[{"id":1,"name":"apple"}]


=== TEST 8: neq
--- request
GET /api/items?select=id&id=neq.2&order=id
--- response_body eval
qq([{"id":1}, \n {"id":3}, \n {"id":4}, \n {"id":5}])


=== TEST 9: gt and lt on the same column
--- request
GET /api/items?select=id&id=gt.1&id=lt.4&order=id
--- response_body eval
qq([{"id":2}, \n {"id":3}])


=== TEST 10: gte and lte
--- request
GET /api/items?select=id&price=gte.1.5&price=lte.2.25&order=id
--- response_body eval
qq([{"id":1}, \n {"id":2}])


=== TEST 11: like, where a star is any text
--- request
GET /api/items?select=id&name=like.*p*&order=id
--- response_body eval
qq([{"id":1}, \n {"id":2}, \n {"id":3}])


=== TEST 12: like minds the case, ilike does not
--- request eval
["GET /api/items?select=id&name=like.a*", "GET /api/items?select=id&name=ilike.a*&order=id"]
--- response_body eval
[qq([{"id":1}]), qq([{"id":1}, \n {"id":3}])]


=== TEST 13: regular expressions
--- request eval
["GET /api/items?select=id&name=match.^a..le\$", "GET /api/items?select=id&name=imatch.^A..LE\$"]
--- response_body eval
[qq([{"id":1}]), qq([{"id":1}])]


=== TEST 14: in
--- request
GET /api/items?select=id&id=in.(1,3,99)&order=id
--- response_body eval
qq([{"id":1}, \n {"id":3}])


=== TEST 15: in with quotes, commas, and a percent sign
--- request
GET /api/items?select=id&name=in.(%22Apricot,%20\%22dry\%22%22,100%25)&order=id
--- response_body eval
qq([{"id":3}, \n {"id":4}])


=== TEST 16: nothing is in an empty list
--- request eval
["GET /api/items?select=id&id=in.()", "GET /api/cheap?select=id&id=not.in.()&order=id"]
--- response_body eval
["[]", qq([{"id":1}, \n {"id":4}])]


=== TEST 17: is
--- request eval
["GET /api/items?select=id&name=is.null",
 "GET /api/items?select=id&done=is.true",
 "GET /api/items?select=id&done=is.False&order=id",
 "GET /api/items?select=id&done=is.unknown&order=id",
 "GET /api/items?select=id&price=is.not_null&id=gt.3"]
--- response_body eval
[qq([{"id":5}]),
 qq([{"id":1}]),
 qq([{"id":2}, \n {"id":4}]),
 qq([{"id":3}, \n {"id":5}]),
 qq([{"id":4}])]


=== TEST 18: isdistinct
--- request
GET /api/items?select=id&name=isdistinct.apple&id=in.(1,5)
--- response_body chomp
[{"id":5}]


=== TEST 19: not before any operator
--- request eval
["GET /api/items?select=id&id=not.gt.1",
 "GET /api/items?select=id&name=not.is.null&id=gt.3",
 "GET /api/items?select=id&id=not.in.(1,2,3,4)"]
--- response_body eval
[qq([{"id":1}]), qq([{"id":4}]), qq([{"id":5}])]


=== TEST 20: dates, booleans and numerics compare as what they are
--- request eval
["GET /api/items?select=id&created=gte.2024-02-01",
 "GET /api/items?select=id&done=eq.t",
 "GET /api/items?select=id&price=eq.10.00"]
--- response_body eval
[qq([{"id":2}]), qq([{"id":1}]), qq([{"id":3}])]


=== TEST 21: an empty value is an empty text
--- request
GET /api/items?name=eq.
--- response_body chomp
[]


=== TEST 22: order, down and with nulls where they are wanted
--- request eval
["GET /api/items?select=id&order=price.desc.nullslast",
 "GET /api/items?select=id&order=done.nullsfirst,id.desc"]
--- response_body eval
[qq([{"id":3}, \n {"id":2}, \n {"id":1}, \n {"id":4}, \n {"id":5}]),
 qq([{"id":5}, \n {"id":3}, \n {"id":4}, \n {"id":2}, \n {"id":1}])]


=== TEST 23: limit and offset
--- request
GET /api/items?select=id&order=id&limit=2&offset=2
--- response_body eval
qq([{"id":3}, \n {"id":4}])
--- response_headers
Content-Range: 2-3/*


=== TEST 24: offset beyond the end
--- request
GET /api/items?select=id&offset=100
--- response_body chomp
[]
--- response_headers
Content-Range: */*


=== TEST 25: limit 0, and limits that are none
--- request eval
["GET /api/items?limit=0", "GET /api/cheap?select=id&id=eq.1&limit=x",
 "GET /api/cheap?select=id&id=eq.1&limit=9223372036854775807&offset=-3"]
--- response_body eval
["[]", qq([{"id":1}]), qq([{"id":1}])]


=== TEST 26: views, materialized views, partitioned tables
--- request eval
["GET /api/cheap?select=id&order=id", "GET /api/frozen?id=eq.5", "GET /api/parted"]
--- response_body eval
[qq([{"id":1}, \n {"id":4}]), qq([{"id":5}]), qq([{"id":1,"what":"a"}])]


=== TEST 27: names that need quotes
--- request eval
["GET /api/Odd%20Table?select=select,with-dash,_t&select=x",
 "GET /api/Odd+Table",
 "GET /api/Odd%20Table?select=Gr%C3%B6%C3%9Fe&Gr%C3%B6%C3%9Fe=eq.3",
 "GET /api/Odd%20Table?select=%22a%20\\%22b\\%22.c%22&%22a%20\\%22b\\%22.c%22=eq.it%27s&order=%22a%20\\%22b\\%22.c%22",
 "GET /api/Odd%20Table?select=%22*x*%22&%22*x*%22=eq.5"]
--- error_code eval
[200, 404, 200, 200, 200]
--- response_body_like eval
[qr/\A\[\{"select":1,"with-dash":2,"_t":4\}\]\z/, qr/PGRST205/,
 qr/\A\[\{"Gr\xc3\xb6\xc3\x9fe":3\}\]\z/,
 qr/\A\[\{"a \\"b\\".c":"it's"\}\]\z/,
 qr/\A\[\{"\*x\*":5\}\]\z/]


=== TEST 28: a plus is a blank, a semicolon separates
--- request
GET /api/items?select=id;name=eq.Apricot,+%22dry%22
--- response_body chomp
[{"id":3}]


=== TEST 29: a table without columns has rows all the same
--- request
GET /api/nothing
--- response_body chomp
[]


=== TEST 30: the relation from a variable
--- config
location ~ ^/v1/(?<what>\w+)/all$ { cqrs_query schema=api relation=$what; }
--- request
GET /v1/cheap/all?select=id&order=id&limit=1
--- response_body chomp
[{"id":1}]


=== TEST 31: a location without a slash at its end
--- config
location /api { cqrs_query schema=api; }
--- request eval
["GET /api/cheap?id=eq.1", "GET /apicheap?id=eq.1", "GET /api"]
--- error_code eval
[200, 404, 200]
--- response_body_like eval
[qr/apple/, qr/PGRST125/, qr/"swagger"/]


=== TEST 32: the first schema, or the one that is asked for
--- config
location /api/ { cqrs_query schema=api,other; }
--- request eval
["GET /api/items?id=eq.1&select=id", "GET /api/items", "GET /api/items", "GET /api/notes"]
--- more_headers eval
["", "Accept-Profile: other", "Accept-Profile: third", "Accept-Profile: other"]
--- error_code eval
[200, 200, 406, 200]
--- response_body_like eval
[qr/\A\[\{"id":1\}\]\z/, qr/"what":"other"/,
 qr/"code":"PGRST106","message":"Invalid schema: third","details":null,"hint":"Only the following schemas are exposed: api, other"/,
 qr/\A\[\]\z/]
--- response_headers eval
["Content-Profile: api", "Content-Profile: other", "! Content-Profile", "Content-Profile: other"]


=== TEST 33: a schema that is not exposed is not there
--- request
GET /api/notes
--- error_code: 404
--- response_body_like: PGRST205


=== TEST 34: max_rows is the limit of every answer
--- config
location /api/ { cqrs_query schema=api max_rows=3; }
--- request eval
["GET /api/items?select=id&order=id", "GET /api/items?select=id&order=id&limit=100", "GET /api/items?select=id&order=id&limit=1"]
--- response_headers eval
["Content-Range: 0-2/*", "Content-Range: 0-2/*", "Content-Range: 0-0/*"]


=== TEST 35: a body that a GET brings along is ignored
--- request
GET /api/cheap?id=eq.1&select=id
{"a": 1}
--- response_body chomp
[{"id":1}]


=== TEST 36: "if" in the location
--- config
location /api/ {
    cqrs_query schema=api;
    if ($arg_x) { add_header X-If yes; }
}
--- request
GET /api/cheap?id=eq.1&select=id
--- response_body chomp
[{"id":1}]


=== TEST 37: SQL that is too long to be prepared
--- request eval
"GET /api/items?id=eq.1&select=" . CORE::join(",", ("id") x 900)
--- response_body eval
"[{" . CORE::join(",", (q("id":1)) x 900) . "}]"
