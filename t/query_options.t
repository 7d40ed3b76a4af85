# Resources: what there is to be read, what may be done with it, and HEAD.

use strict;
use utf8;
use warnings;

use Test::More;

use Cqrs::Shop;

my $shop = Cqrs::Shop->new;

$shop->check(\*DATA);
$shop->stop;

done_testing;

__DATA__
=== tables, views, materialized views, foreign tables and partitioned tables are read
GET /countries?order=code&limit=1
200 [{"code":"AT","name":"Austria"}]

GET /totals
200 [{"customers":4}]

GET /sales?customer_id=eq.1
200 [{"customer_id":1,"orders":2}]

GET /visits?select=id&order=id
200 [{"id":1},{"id":2},{"id":3}]

GET /far_away
500 {"code":"55000"}

=== partitions are not
GET /visits_2023
404 {"code":"PGRST205"}

=== what is deeper is nothing
GET /customers/1
404 {"code":"PGRST125","message":"Invalid path specified in request URL"}

GET /customers/1/orders
404 {"code":"PGRST125"}

=== an unknown relation, and one like it
GET /customer
404 {"code":"PGRST205","message":"Could not find the table 'shop.customer' in the schema cache","hint":"Perhaps you meant the table 'shop.customers'"}

GET /qqqqqq
404 {"code":"PGRST205","hint":null}

=== relations of other schemas are not there
GET /tickets
404 {"code":"PGRST205"}

GET /product_labels
404 {"code":"PGRST205"}

=== a path and a query are decoded before names are looked up
GET /Odd%20Names?select=%22Gr%C3%B6%C3%9Fe%22&limit=1
200 [{"Größe":3}]

GET /%63ustomers?select=%69d&%69d=eq.1
200 [{"id":1}]

=== a plus is a blank in a query, a semicolon separates
GET /customers?select=id;name=eq.D%C3%A9+100%25
200 [{"id":4}]

=== keys of writing have no meaning here, and are no filters
GET /customers?select=id&id=eq.1&columns=name&on_conflict=id
200 [{"id":1}]

=== HEAD has GET's headers, without a length and a body
HEAD /customers?id=lt.3
200 (empty)
< Content-Type: application/json; charset=utf-8
< Content-Range: 0-1/*
< Content-Location: /customers?id=lt.3
< ! Content-Length

HEAD /customer
404 (empty)

HEAD /
200 (empty)

=== a HEAD doesn't make the rows
HEAD /broken
200 (empty)

GET /broken
400 {"code":"22012"}

=== OPTIONS tell what a table bears
OPTIONS /customers
200 (empty)
< Allow: OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE
< Content-Length: 0
< Access-Control-Allow-Origin: *

OPTIONS /customers?select=nonsense
200

OPTIONS /no_key
200
< Allow: OPTIONS,GET,HEAD,POST,PATCH,DELETE

OPTIONS /visits
200
< Allow: OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE

=== OPTIONS of views tell what Postgres or a trigger can write
OPTIONS /buyers
200
< Allow: OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE

OPTIONS /totals
200
< Allow: OPTIONS,GET,HEAD

OPTIONS /sales
200
< Allow: OPTIONS,GET,HEAD

OPTIONS /inbox
200
< Allow: OPTIONS,GET,HEAD,POST

=== OPTIONS of functions depend on whether they write
OPTIONS /rpc/write_number
200 (empty)
< Allow: OPTIONS,POST

OPTIONS /rpc/all_products
200
< Allow: OPTIONS,GET,HEAD,POST

=== OPTIONS are no call: there are filters, but no arguments
OPTIONS /rpc/all_products?select=id&price=gt.1
200
< Allow: OPTIONS,GET,HEAD,POST

OPTIONS /rpc/all_products?nope=eq.1
200

OPTIONS /rpc/hello?name=x
400 {"code":"PGRST100"}

OPTIONS /rpc/hello
404 {"code":"PGRST202"}

OPTIONS /rpc/all_products?select=nope(*)
400 {"code":"PGRST200"}

OPTIONS /rpc/all_products
> Accept: text/unknown
406 {"code":"PGRST107"}

=== OPTIONS of a relation are read, and not planned
OPTIONS /customers?select=nope(*)&nope.id=eq.1
200

OPTIONS /customers?id=x
400 {"code":"PGRST100"}

OPTIONS /customers?limit=-1
416 {"code":"PGRST103"}

=== OPTIONS of the root
OPTIONS /
200 (empty)
< Allow: OPTIONS,GET,HEAD

=== OPTIONS of what isn't there
OPTIONS /customer
404 {"code":"PGRST205"}

OPTIONS /rpc/nobody
404 {"code":"PGRST202"}

OPTIONS /customers/1
404 {"code":"PGRST125"}

=== what writes is refused
POST /customers
405 {"code":"PGRST117"}

DELETE /customers?id=eq.1
405 {"code":"PGRST117"}

PATCH /customers
405 {"code":"PGRST117"}

PUT /customers
405 {"code":"PGRST117"}

POST /rpc/write_number
405

=== another verb for a function
DELETE /rpc/hello
405 {"code":"PGRST101"}

TRACE /customers
405

BREW /customers
405

=== the root is a document
GET /
200 ~ "swagger":
< Content-Type: application/openapi+json; charset=utf-8
