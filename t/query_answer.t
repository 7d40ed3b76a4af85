# What functions of the database say of an answer, validators, and errors of all
# kinds.

use strict;
use utf8;
use warnings;

use Test::More;

use Cqrs::Shop;

my $shop = Cqrs::Shop->new(
    sql => <<'SQL',
create function shop.with(headers text, status text default null) returns text language sql stable as $$
    select set_config('response.headers', $1, true), set_config('response.status', $2, true);
    select 'said'::text $$;
create function shop.raise(message text, detail text) returns void language plpgsql stable as $$
    begin raise sqlstate 'PGRST' using message = $1, detail = $2; end $$;
create function shop.raise_as(code text, message text) returns void language plpgsql stable as $$
    begin raise exception using errcode = $1, message = $2; end $$;
create domain shop."application/vnd.shop.data" as jsonb;
create function shop.data() returns shop."application/vnd.shop.data" language sql stable as $$
    select '{"a": 1}'::jsonb::shop."application/vnd.shop.data" $$;
create function shop.binary() returns shop."image/png" language sql stable as $$
    select '\x0001ff0d0a'::bytea $$;
SQL
    locations => {
        '/listed/'  => 'cqrs_query_cors_origins https://a.example https://b.example:8443; cqrs_query schema=shop;',
        '/own/'     => 'cqrs_query_cors_origins off; cqrs_query schema=shop;',
        '/short/'   => 'cqrs_query_error_verbosity minimal; cqrs_query schema=shop;',
        '/strict/'  => 'cqrs_query_legacy_targets off; cqrs_query schema=shop;',
        '/untagged/' => 'etag off; cqrs_query schema=shop;',
    },
);

$shop->check(\*DATA);

subtest 'an answer that the client has already is not sent again' => sub {
    my $http = $shop->http;
    my $etag = $http->get('/countries?order=code')->{headers}{etag};
    like($etag, qr{^W/"[0-9a-f]{32}"$}, 'it has a weak tag');

    my $again = $http->get('/countries?order=code', { 'If-None-Match' => qq("other", $etag) });
    is($again->{status}, 304, 'it is enough to say so');
    is($again->{body}, '', '... without a body');
    is($again->{headers}{'content-range'}, '0-2/*', '... but with its headers');

    is($http->get('/countries?order=code.desc', { 'If-None-Match' => $etag })->{status}, 200, 'other rows are sent');
    is($http->get('/countries?order=code', { Accept => 'text/csv', 'If-None-Match' => $etag })->{status},
        200, 'and so is another representation');
    ok(!exists $http->request('HEAD', '/countries')->{headers}{etag}, 'HEAD has none');
    ok(!exists $http->get('/untagged/countries')->{headers}{etag}, 'nor where nginx is told so');
};

subtest 'bytes are sent as they are' => sub {
    my $answer = $shop->http->get('/rpc/binary', { Accept => 'image/png' });
    is($answer->{body}, "\x00\x01\xff\x0d\x0a", 'also those that are no text');
    is($answer->{headers}{'content-length'}, 5, 'all of them');
};

subtest 'a reason phrase is the database\'s' => sub {
    my $answer = $shop->http->get('/rpc/raise_402');
    is($answer->{status}, 402, 'the status');
    is($answer->{reason}, 'Payment required', 'the phrase');
};

$shop->stop;
done_testing;

__DATA__
=== the strict are told what is not understood
GET /countries
> Prefer: handling=strict, anything, count=exact, other
400 {"code":"PGRST122","message":"Invalid preferences given with handling=strict","details":"Invalid preferences: anything, other","hint":null}

GET /countries
> Prefer: handling=strict, count=exact
200
< Preference-Applied: count=exact, handling=strict

=== a strict call may limit the rows that it affects
GET /rpc/count_to?n=3
> Prefer: handling=strict, max-affected=2
400 {"code":"PGRST124","details":"The query affects 3 rows"}

GET /rpc/count_to?n=3
> Prefer: handling=strict, max-affected=3
200 [1,2,3]
< Preference-Applied: handling=strict, max-affected=3

GET /rpc/hello?name=you
> Prefer: handling=strict, max-affected=3
400 {"code":"PGRST128"}

=== functions say what would be said otherwise
GET /rpc/with?headers=[{"Content-Type":"text/plain"},{"Vary":"Cookie"},{"Content-Range":"all"}]
200 "said"
< Content-Type: text/plain
< Vary: Cookie
< Content-Range: all

=== but nothing that breaks the answer
GET /rpc/with?headers=[{"Content-Length":"1"},{"Transfer-Encoding":"chunked"},{"Connection":"close"}]
200 "said"
< Content-Length: 6

GET /rpc/with?headers=[{"X-A":"b\r\nX-C:d"}]
500 {"code":"PGRST111"}
< ! X-C

=== what is not understood of them is an error
GET /rpc/with_bad_headers
500 {"code":"PGRST111","message":"response.headers guc must be a JSON array composed of objects with a single key and a string value","details":null,"hint":null}

GET /rpc/with_status?status=lost
500 {"code":"PGRST112","message":"response.status guc must be a valid status code"}

=== functions say the status
GET /rpc/with_status?status=418
418 "status"

GET /rpc/with?headers=[]&status=204
204 (empty)
< ! Content-Type

=== what is raised has a status of its own
GET /rpc/raise_402
402 {"code":"PT402","message":"Payment required","details":"The invoice is due","hint":"Pay it"}
< Proxy-Status: PostgREST; error=PT402

GET /rpc/raise_json
419 {"code":"S1","message":"Closed","details":"Sunday","hint":"Monday"}
< X-Opens: Monday
< Proxy-Status: PostgREST; error=S1

GET /rpc/raise_bad_json
500 {"code":"PGRST121","message":"Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error","details":"Invalid JSON value for MESSAGE: 'no JSON'"}

GET /rpc/raise?message={"code":"1","message":"m"}&detail={"status":401,"headers":{}}
401 {"code":"1","message":"m","details":null,"hint":null}
< ! WWW-Authenticate

GET /rpc/raise_plain
400 {"code":"P0001","message":"No","details":"details","hint":"hint"}

GET /rpc/raise_as?code=PTABC&message=m
500 {"code":"PTABC"}

=== statuses by the code of the error
GET /rpc/raise_as?code=23505&message=m
409

GET /rpc/raise_as?code=28000&message=m
403

GET /rpc/raise_as?code=40001&message=m
500

GET /rpc/raise_as?code=53400&message=m
500

GET /rpc/raise_as?code=53300&message=m
503
< Retry-After: 1

GET /rpc/raise_as?code=57P01&message=m
503

GET /rpc/raise_as?code=08000&message=m
503

GET /rpc/raise_as?code=42P01&message=m
404

GET /rpc/raise_as?code=22012&message=m
400

=== errors are as short as they are to be
GET /short/nothing_here
404 = {"code":"PGRST205","message":"Could not find the table 'shop.nothing_here' in the schema cache"}

=== pages of listed origins may read, with credentials
GET /listed/countries
> Origin: https://b.example:8443
200
< Access-Control-Allow-Origin: https://b.example:8443
< Access-Control-Allow-Credentials: true
< Vary: Accept, Prefer, Range, Origin

GET /listed/countries
> Origin: https://c.example
200
< ! Access-Control-Allow-Origin

=== or none
GET /own/countries
> Origin: https://a.example
200
< ! Access-Control-Allow-Origin

=== an embed that is meant by its name although it has another is warned of
GET /customers?select=id,placed:orders(id)&orders.limit=1&id=eq.1
200
< Warning: /^299 \S+ ".*`orders` to `placed`.*"$/

GET /customers?select=id,placed:orders(id)&placed.limit=1&id=eq.1
200
< ! Warning

GET /strict/customers?select=id,placed:orders(id)&orders.limit=1&id=eq.1
400 {"code":"PGRST108"}

=== what is wrong with a query is told before what is wrong with its Accept
GET /countries?order=,
> Accept: image/gif
400 {"code":"PGRST100"}

GET /countries
> Accept: application/json;q=0
406 {"code":"PGRST107"}

GET /countries
> Accept: image/gif
> Prefer: handling=strict, anything
406 {"code":"PGRST107"}

=== what Postgres would say comes last
GET /nobody?select=nope&nope.id=eq.1
404 {"code":"PGRST205"}

GET /customers?nope.id=eq.1&select=id,nobody(id)
400 {"code":"PGRST108"}

GET /customers?a.id=eq.1&b.order=id&c.id=eq.1
400 {"code":"PGRST108","message":"'c' is not an embedded resource in this request"}

GET /customers?nope=eq.1
> Accept: text/nothing
406 {"code":"PGRST107"}

GET /customers?nope=eq.1
> Prefer: handling=strict, nothing
400 {"code":"PGRST122"}

GET /customers?select=nope,count()
400 {"code":"PGRST123"}

GET /?nope=1
400 {"code":"PGRST100"}

GET /?limit=-1
416 {"code":"PGRST103"}

=== JSON in binary is JSON
GET /rpc/data
> Accept: application/vnd.shop.data
200 = {"a": 1}
< Content-Type: application/vnd.shop.data
