# Order, pages and counts.

use strict;
use utf8;
use warnings;

use Test::More;

use Cqrs::Shop;

my $shop = Cqrs::Shop->new(
    sql       => q{insert into shop.visits values (4, '2024-08-01', 1)},
    locations => { '/few/' => 'cqrs_query schema=shop max_rows=2;' },
);

$shop->check(\*DATA);
$shop->stop;

done_testing;

__DATA__
=== order by columns, up and down
GET /products?select=id&order=category,id
200 [{"id":1},{"id":2},{"id":3},{"id":4},{"id":5}]

GET /products?select=id&order=category.desc.nullslast,id.desc
200 [{"id":4},{"id":3},{"id":2},{"id":1},{"id":5}]

GET /customers?select=id&order=name.asc
200 [{"id":1},{"id":2},{"id":3},{"id":4}]

=== nulls last when it goes up, first when down, or where they are wanted
GET /customers?select=id&order=rating
200 [{"id":2},{"id":1},{"id":4},{"id":3}]

GET /customers?select=id&order=rating.desc
200 [{"id":3},{"id":4},{"id":1},{"id":2}]

GET /customers?select=id&order=rating.nullsfirst
200 [{"id":3},{"id":2},{"id":1},{"id":4}]

GET /customers?select=id&order=rating.asc.nullsfirst
200 [{"id":3},{"id":2},{"id":1},{"id":4}]

=== order by JSON, a composite, a computed field, a quoted column
GET /documents?select=id&order=more->a->>b.desc.nullslast,id&limit=2
200 [{"id":2},{"id":1}]

GET /products?select=id&order=size->>width.desc.nullslast&limit=2
200 [{"id":2},{"id":1}]

GET /customers?select=id&order=initial.desc
200 [{"id":4},{"id":3},{"id":2},{"id":1}]

GET /Odd Names?select=select&order="a.b,c:d(e)".nullsfirst
200 [{"select":2},{"select":1}]

=== a word that is no direction is refused
GET /customers?order=id.down
400 {"code":"PGRST100"}

GET /customers?order=id.desc.nulls
400 {"code":"PGRST100"}

GET /customers?order=id.nullslast.desc
400 {"code":"PGRST100"}

GET /customers?order=banana
400 {"code":"42703"}

=== limit and offset
GET /numbers?order=n&limit=2
200 [{"n":1},{"n":2}]
< Content-Range: 0-1/*

GET /numbers?order=n&limit=3&offset=2
200 [{"n":3},{"n":4},{"n":5}]
< Content-Range: 2-4/*

GET /numbers?order=n&offset=998
200 [{"n":999},{"n":1000}]
< Content-Range: 998-999/*

=== beyond the end is an empty page
GET /numbers?offset=1000
200 []
< Content-Range: */*

=== a limit of nothing
GET /numbers?limit=0
200 []
< Content-Range: */*

=== a negative limit is refused, and what lies before the first row cut off
GET /numbers?limit=-1
416 {"code":"PGRST103","message":"Requested range not satisfiable"}

GET /numbers?order=n&limit=6&offset=-5
200 [{"n":1}]
< Content-Range: 0-0/*

GET /numbers?order=n&limit=1&offset=-5
416 {"code":"PGRST103","details":"Limit should be greater than or equal to zero."}

GET /countries?select=code&order=code&offset=-5
200 [{"code":"AT"},{"code":"FR"},{"code":"PT"}]

=== limits that are no numbers are none, unless there is an offset
GET /countries?select=code&order=code&limit=x
200 [{"code":"AT"},{"code":"FR"},{"code":"PT"}]

GET /countries?select=code&order=code&offset=y
200 [{"code":"AT"},{"code":"FR"},{"code":"PT"}]

GET /countries?limit=x&offset=y
200 []

GET /countries?limit=x&offset=1
416 {"code":"PGRST103"}

GET /countries?limit=0&offset=1
416 {"code":"PGRST103"}

=== more than Postgres counts to is Postgres' to refuse
GET /countries?limit=99999999999999999999
400 {"code":"22003","message":"value \"99999999999999999999\" is out of range for type bigint"}

=== an embed's range is not cut off
GET /customers?select=orders(id)&orders.limit=-1
400 {"code":"2201W","message":"LIMIT must not be negative"}

GET /customers?select=orders(id)&orders.offset=-1
400 {"code":"2201X","message":"OFFSET must not be negative"}

=== Range says first and last row
GET /numbers?order=n
> Range-Unit: items
> Range: 0-1
200 [{"n":1},{"n":2}]
< Content-Range: 0-1/*

GET /numbers?order=n
> Range: 998-
200 [{"n":999},{"n":1000}]
< Content-Range: 998-999/*

GET /countries?select=code&order=code
> Range: 1-100
200 [{"code":"FR"},{"code":"PT"}]
< Content-Range: 1-2/*

=== Range and limit are both minded
GET /numbers?order=n&limit=5&offset=2
> Range: 3-4
200 [{"n":4},{"n":5}]
< Content-Range: 3-4/*

GET /numbers?order=n&limit=2
> Range: 0-9
200 [{"n":1},{"n":2}]
< Content-Range: 0-1/*

=== a Range that is none is ignored
GET /countries?select=code&order=code
> Range: bytes=0-1
200 [{"code":"AT"},{"code":"FR"},{"code":"PT"}]

GET /countries?select=code&order=code
> Range: x
200 [{"code":"AT"},{"code":"FR"},{"code":"PT"}]

=== a Range whose end is before its begin is refused
GET /numbers
> Range: 1-0
416 {"code":"PGRST103"}

=== HEAD minds no Range
HEAD /countries
> Range: 0-0
200 (empty)
< Content-Range: 0-2/*

=== an exact count: all rows 200, some 206
GET /countries?select=code&order=code
> Prefer: count=exact
200 [{"code":"AT"},{"code":"FR"},{"code":"PT"}]
< Content-Range: 0-2/3
< Preference-Applied: count=exact

GET /countries?select=code&order=code&limit=2
> Prefer: count=exact
206 [{"code":"AT"},{"code":"FR"}]
< Content-Range: 0-1/3

GET /countries?select=code&order=code
> Prefer: count=exact
> Range: 1-5
206 [{"code":"FR"},{"code":"PT"}]
< Content-Range: 1-2/3

HEAD /numbers?limit=10
> Prefer: count=exact
206 (empty)
< Content-Range: 0-9/1000

=== the count is of what the filters and inner joins leave
GET /numbers?n=gt.990&order=n&limit=1
> Prefer: count=exact
206 [{"n":991}]
< Content-Range: 0-0/10

GET /customers?select=id,orders!inner(id)&orders.status=in.(new,sent)&orders.order=id&order=id&limit=1
> Prefer: count=exact
206 [{"id":1,"orders":[{"id":2}]}]
< Content-Range: 0-0/2

GET /customers?select=id,orders()&orders=is.null
> Prefer: count=exact
200 [{"id":4}]
< Content-Range: 0-0/1

=== no rows, counted
GET /no_rows
> Prefer: count=exact
200 []
< Content-Range: */0

GET /customers?id=eq.99
> Prefer: count=exact
200 []
< Content-Range: */0

GET /numbers?limit=0
> Prefer: count=exact
206 []
< Content-Range: */1000

=== an offset beyond what was counted is refused
GET /countries?offset=10
> Prefer: count=exact
416 {"code":"PGRST103","message":"Requested range not satisfiable","details":"An offset of 10 was requested, but there are only 3 rows."}
< Content-Range: */3

GET /countries
> Prefer: count=exact
> Range: 7-9
416
< Content-Range: */3

=== a planned count is what Postgres expects
GET /numbers?limit=1&order=n
> Prefer: count=planned
206 [{"n":1}]
< Content-Range: 0-0/1000
< Preference-Applied: count=planned

HEAD /numbers
> Prefer: count=planned
200
< Content-Range: 0-999/1000

=== an estimated count is exact up to the most rows of an answer
GET /few/numbers?n=lt.3&order=n
> Prefer: count=estimated
200 [{"n":1},{"n":2}]
< Content-Range: 0-1/2
< Preference-Applied: count=estimated

=== beyond that it is the larger one of what is there and what Postgres expects
GET /few/numbers?order=n
> Prefer: count=estimated
206 [{"n":1},{"n":2}]
< Content-Range: 0-1/1000

GET /customers?select=id&order=id&limit=1
> Prefer: count=estimated
206 [{"id":1}]
< Content-Range: 0-0/4

=== a function's rows are counted, its scalar is one
GET /rpc/all_products?select=id&limit=1&order=id
> Prefer: count=exact
206 [{"id":1}]
< Content-Range: 0-0/5

GET /rpc/add?a=3&b=4
> Prefer: count=exact
200 7
< Content-Range: 0-0/1

=== no answer has more than the most rows
GET /few/numbers?order=n
200 [{"n":1},{"n":2}]
< Content-Range: 0-1/*

GET /few/numbers?order=n&limit=100&offset=5
200 [{"n":6},{"n":7}]
< Content-Range: 5-6/*

GET /few/numbers?order=n&limit=1
200 [{"n":1}]

GET /few/rpc/count_to?n=9
200 [1,2]

=== nor an embed of many
GET /few/customers?select=id,visits(id)&visits.order=id&id=eq.1
200 [{"id":1,"visits":[{"id":1},{"id":2}]}]

GET /few/customers?select=id,...visits(days:id)&visits.order=id.desc&id=eq.1
200 [{"id":1,"days":[4,2]}]

GET /customers?select=id,visits(id)&visits.order=id&id=eq.1
200 [{"id":1,"visits":[{"id":1},{"id":2},{"id":4}]}]

=== an exact count is of all rows, whatever the most is
GET /few/numbers?order=n
> Prefer: count=exact
206 [{"n":1},{"n":2}]
< Content-Range: 0-1/1000
