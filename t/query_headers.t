# Schemas, preferences, and the headers of an answer.

use strict;
use utf8;
use warnings;

use Test::More;

use Cqrs::Shop;

my $shop = Cqrs::Shop->new(
    sql       => q{create table extra.words (word text)},
    locations => {
        '/narrow/' => 'cqrs_query schema=shop; cqrs_query_extra_search_path off;',
        '/tx/'     => 'cqrs_query schema=shop; cqrs_query_tx_end commit-allow-override;',
        '/never/'  => 'cqrs_query schema=shop; cqrs_query_tx_end rollback;',
        '/undo/'   => 'cqrs_query schema=shop; cqrs_query_tx_end rollback-allow-override;',
        '/timed/'  => 'cqrs_query schema=shop; cqrs_query_server_timing on;',
        '/traced/' => 'cqrs_query schema=shop; cqrs_query_trace_header X-Request-Id;',
        '/origin/' => 'cqrs_query schema=shop; cqrs_query_cors_origins https://shop.example https://two.example;',
    },
);

$shop->check(\*DATA);
$shop->stop;

done_testing;

__DATA__
=== the first schema is meant, another one if it is asked for
GET /customers?select=id&id=eq.1
200 [{"id":1}]
< Content-Profile: shop

GET /customers
> Accept-Profile: other
200 [{"id":1,"nickname":"the other one"}]
< Content-Profile: other

HEAD /tickets
> Accept-Profile: other
200
< Content-Profile: other

=== relationships and functions of the other schema
GET /tickets?select=id&id=eq.1
> Accept-Profile: other
200 [{"id":1}]

GET /rpc/whoami
> Accept-Profile: other
200 "other"
< Content-Profile: other

=== a schema that isn't exposed is refused
GET /customers
> Accept-Profile: extra
406 {"code":"PGRST106","message":"Invalid schema: extra","hint":"Only the following schemas are exposed: shop, other"}

=== where there is one schema, none is told
GET /narrow/customers?select=id&id=eq.1
200 [{"id":1}]
< ! Content-Profile

=== operators, types and computed fields of the extra search path
GET /customers?select=shout&id=eq.1
200 [{"shout":"ADA!"}]

GET /narrow/customers?select=shout&id=eq.1
400 {"code":"42703"}

GET /words
404 {"code":"PGRST205"}

=== preferences come by commas, and in several headers
GET /numbers?limit=1&order=n
> Prefer: count=exact, timezone=UTC
206 [{"n":1}]
< Preference-Applied: count=exact, timezone=UTC

GET /numbers?limit=1&order=n
> Prefer: timezone=UTC
> Prefer: handling=lenient
> Prefer: count=exact
206 [{"n":1}]
< Preference-Applied: count=exact, handling=lenient, timezone=UTC

=== unknown ones are ignored
GET /countries?code=eq.AT
> Prefer: everything, count=roughly
200
< ! Preference-Applied

=== unless the request wants to be strict
GET /countries?code=eq.AT
> Prefer: handling=strict, everything, count=exact
400 {"code":"PGRST122","message":"Invalid preferences given with handling=strict","details":"Invalid preferences: everything"}

GET /countries?code=eq.AT
> Prefer: handling=strict, count=exact
200
< Preference-Applied: count=exact, handling=strict

=== times are shown in the time zone that is preferred
GET /customers?select=joined&id=eq.1
> Prefer: timezone=America/Los_Angeles
200 [{"joined":"2024-01-01T02:00:00-08:00"}]
< Preference-Applied: timezone=America/Los_Angeles

GET /customers?select=joined&id=eq.1
200 [{"joined":"2024-01-01T10:00:00+00:00"}]
< ! Preference-Applied

=== or at a distance to Greenwich: hours to the east, hours and minutes to the west
GET /customers?select=joined&id=eq.1
> Prefer: timezone=-4
200 [{"joined":"2024-01-01T06:00:00-04:00"}]

GET /customers?select=joined&id=eq.1
> Prefer: timezone=+05:30
200 [{"joined":"2024-01-01T04:30:00-05:30"}]

=== a time zone that there isn't
GET /customers?select=joined&id=eq.1
> Prefer: timezone=Moon/Base
400 {"code":"22023"}

GET /customers?select=joined&id=eq.1
> Prefer: handling=lenient, timezone=Moon/Base
400 {"code":"22023"}

=== how the transaction ends is the client's choice only where it may be
GET /tx/countries?code=eq.AT
> Prefer: tx=rollback
200
< Preference-Applied: tx=rollback

GET /tx/countries?code=eq.AT
> Prefer: tx=commit
200
< Preference-Applied: tx=commit

GET /undo/countries?code=eq.AT
> Prefer: tx=commit
200
< Preference-Applied: tx=commit

GET /countries?code=eq.AT
> Prefer: tx=rollback
200
< ! Preference-Applied

GET /never/countries?code=eq.AT
> Prefer: tx=commit
200
< ! Preference-Applied

=== a table's address is told with its keys in order
GET /customers?select=id&id=eq.1&active=is.true
200 [{"id":1}]
< Content-Location: /customers?active=is.true&id=eq.1&select=id

GET /countries?order=code&limit=1
200
< Content-Location: /countries?limit=1&order=code

GET /no_rows
200 []
< Content-Location: /no_rows

=== a function's isn't
GET /rpc/all_products?id=eq.1&select=id
200
< ! Content-Location

=== an answer depends on Accept, Prefer and Range
GET /no_rows
200 []
< Vary: Accept, Prefer, Range

GET /rpc/add?a=1&b=2
200
< Vary: Accept, Prefer, Range

=== so does one beyond the last row, or of a status of its own, but no error
GET /countries?offset=4
> Prefer: count=exact
> Accept-Profile: shop
416 {"code":"PGRST103"}
< Vary: Accept, Prefer, Range
< Content-Profile: shop

GET /countries?offset=4
> Prefer: count=exact
> Accept: text/csv
416 {"code":"PGRST103"}
< Content-Type: text/csv; charset=utf-8

GET /rpc/same?value=1
300 {"code":"PGRST203"}
< ! Vary
< ! Content-Profile

GET /customers?limit=-1
416 {"code":"PGRST103"}
< ! Vary

=== the length is the body's
GET /no_rows
200 = []
< Content-Length: 2

HEAD /no_rows
200
< ! Content-Length

GET /nobody
404 {"code":"PGRST205"}
< Content-Length: 117

HEAD /nobody
404 (empty)
< Content-Length: 117

=== how long each part took, where that is switched on
GET /timed/no_rows
200 []
< Server-Timing: /^jwt;dur=[\d.]+, parse;dur=[\d.]+, plan;dur=[\d.]+, transaction;dur=[\d.]+, response;dur=[\d.]+$/

GET /no_rows
200 []
< ! Server-Timing

=== a header that traces the request comes back
GET /traced/no_rows
> X-Request-Id: r-1
200 []
< X-Request-Id: r-1

GET /traced/nobody
> X-Request-Id: r-2
404
< X-Request-Id: r-2

GET /no_rows
> X-Request-Id: r-3
200 []
< ! X-Request-Id

=== pages of any origin may read
GET /no_rows
> Origin: https://anywhere.example
200 []
< Access-Control-Allow-Origin: *
< Access-Control-Expose-Headers: /Content-Location.*Content-Range/
< ! Access-Control-Allow-Credentials

=== a browser that asks beforehand is told so
OPTIONS /no_rows
> Origin: https://anywhere.example
> Access-Control-Request-Method: GET
> Access-Control-Request-Headers: X-Mine, Prefer
200
< Access-Control-Allow-Origin: *
< Access-Control-Allow-Methods: /GET.*POST.*HEAD/
< Access-Control-Allow-Headers: Authorization, X-Mine, Prefer, Accept, Accept-Language, Content-Language
< Access-Control-Max-Age: 86400

=== where origins are listed, one of them is told its name, others nothing
GET /origin/no_rows
> Origin: https://two.example
200 []
< Access-Control-Allow-Origin: https://two.example
< Access-Control-Allow-Credentials: true

GET /origin/no_rows
> Origin: https://anywhere.example
200 []
< ! Access-Control-Allow-Origin
< ! Access-Control-Allow-Credentials
