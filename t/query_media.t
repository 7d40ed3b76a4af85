# Representations: which one a request gets, and what each looks like.

use strict;
use utf8;
use warnings;

use Test::More;

use Cqrs::Shop;

# A function of PostGIS' name, and of its form of an answer.
my $shop = Cqrs::Shop->new(
    sql       => <<'SQL',
create schema map;
create function map.st_asgeojson(anyelement) returns text language sql stable as $$
    select json_build_object('type', 'Feature', 'geometry', null, 'properties', to_json($1))::text $$;
grant usage on schema map to web_anonymous;
SQL
    locations => {
        '/plans/' => 'cqrs_query schema=shop; cqrs_query_plan on;',
        '/maps/'  => 'cqrs_query schema=shop; cqrs_query_extra_search_path map;',
    },
);

$shop->check(\*DATA);
$shop->stop;

done_testing;

__DATA__
=== JSON is the answer to who accepts it, anything, or says nothing
GET /countries?code=eq.AT
200 = [{"code":"AT","name":"Austria"}]
< Content-Type: application/json; charset=utf-8

GET /countries?code=eq.AT
> Accept: */*
200 = [{"code":"AT","name":"Austria"}]
< Content-Type: application/json; charset=utf-8

GET /countries?code=eq.AT
> Accept: application/json
200
< Content-Type: application/json; charset=utf-8

GET /countries?code=eq.AT
> Accept: application/vnd.pgrst.array+json
200 = [{"code":"AT","name":"Austria"}]
< Content-Type: application/json; charset=utf-8

=== the first type that can be made is, better ones first
GET /countries?code=eq.AT
> Accept: text/unknown, text/csv
200 = code,name
AT,Austria
< Content-Type: text/csv; charset=utf-8

GET /countries?code=eq.AT
> Accept: text/csv;q=0.5, application/json;q=0.8
200
< Content-Type: application/json; charset=utf-8

GET /countries?code=eq.AT
> Accept: text/html, application/xhtml+xml, */*;q=0.1
200
< Content-Type: application/json; charset=utf-8

=== a type that can't be made is refused
GET /countries
> Accept: text/unknown
406 {"code":"PGRST107","message":"None of these media types are available: text/unknown"}

GET /countries
> Accept: image/gif, text/unknown;q=0.5
406 {"code":"PGRST107","message":"None of these media types are available: image/gif, text/unknown"}

GET /rpc/add?a=1&b=2
> Accept: text/unknown
406 {"code":"PGRST107"}

=== one row as an object
GET /countries?code=eq.AT
> Accept: application/vnd.pgrst.object+json
200 = {"code":"AT","name":"Austria"}
< Content-Type: application/vnd.pgrst.object+json; charset=utf-8
< Content-Range: 0-0/*

GET /customers?id=eq.1&select=id,orders(id)&orders.order=id
> Accept: application/vnd.pgrst.object
200 {"id":1,"orders":[{"id":1},{"id":2}]}

GET /rpc/customers_of?country=AT&select=id
> Accept: application/vnd.pgrst.object+json
200 {"id":1}

=== no row, or several, are no object
GET /countries
> Accept: application/vnd.pgrst.object+json
406 {"code":"PGRST116","message":"Cannot coerce the result to a single JSON object","details":"The result contains 3 rows"}

GET /countries?code=eq.XX
> Accept: application/vnd.pgrst.object+json
406 {"code":"PGRST116","details":"The result contains 0 rows"}

HEAD /countries
> Accept: application/vnd.pgrst.object+json
406 (empty)

=== keys whose value is null are left out
GET /customers?select=id,email,country&id=gte.3&order=id
> Accept: application/vnd.pgrst.array+json;nulls=stripped
200 [{"id":3,"country":"FR"},{"id":4,"email":"de@example.org"}]
< Content-Type: application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8

GET /customers?select=id,email,settings(theme)&id=eq.3
> Accept: application/vnd.pgrst.object+json;nulls=stripped
200 = {"id":3}
< Content-Type: application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8

=== CSV, with quotes where they are needed and no end of the last line
GET /customers?select=id,name,email&order=id&id=gte.2
> Accept: text/csv
200 = id,name,email
2,Bo,bo@example.org
3,"Cy, ""the third""",
4,"Dé 100%",de@example.org
< Content-Type: text/csv; charset=utf-8

=== CSV of no rows is an empty line
GET /no_rows
> Accept: text/csv
200 ~ ^\n\z

=== unless a function gave some
GET /rpc/all_products?id=eq.0
> Accept: text/csv
200 ~ ^id,name,[a-z_,]+,category\n\z

=== an embed in CSV has the form of jsonb
GET /customers?select=id,countries(name),orders(id)&id=eq.1&orders.limit=2&orders.order=id
> Accept: text/csv
200 = id,countries,orders
1,"{""name"": ""Austria""}","[{""id"": 1}, {""id"": 2}]"

=== one of a set of values is an object
GET /rpc/count_to?n=3&limit=1
> Accept: application/vnd.pgrst.object+json
200 {"pgrst_scalar":1}

GET /rpc/count_to?n=3&limit=1
> Accept: application/vnd.pgrst.array+json;nulls=stripped
200 [1]

=== CSV of a function, and of one value
GET /rpc/price_table?minimum=200
> Accept: text/csv
200 = name,price
armchair,350.50

=== an aggregate whose type is named like a media type makes a table be that
GET /customers?id=lt.3&order=id
> Accept: application/vnd.shop.names
200 = Ada;Bo
< Content-Type: application/vnd.shop.names

=== of this table, and of all its columns
GET /customers?select=
> Accept: application/vnd.shop.names
406 {"code":"PGRST107"}

GET /countries
> Accept: application/vnd.shop.names
406 {"code":"PGRST107"}

GET /customers?select=id
> Accept: application/vnd.shop.names
406 {"code":"PGRST107"}

=== an aggregate of anything is of every table and every select
GET /countries?order=code&limit=2
> Accept: text/tab-separated-values
200 ~ AT.*Austria.*\n.*FR.*France
< Content-Type: text/tab-separated-values

GET /customers?select=id&order=id
> Accept: text/tab-separated-values
200 ~ ^1\n2\n3\n4$

=== a function that returns such a type is that
GET /rpc/page
> Accept: text/html
200 = <p>shop</p>
< Content-Type: text/html

GET /rpc/page
200 = "<p>shop</p>"
< Content-Type: application/json; charset=utf-8

GET /rpc/picture
> Accept: image/png
200 ~ ^.PNG$
< Content-Type: image/png

GET /rpc/page
> Accept: image/png
406 {"code":"PGRST107"}

=== one that returns any type answers all
GET /rpc/anything
> Accept: audio/ogg
200 = anything
< Content-Type: application/octet-stream

=== GeoJSON of the rows, as features
GET /maps/countries?code=in.(AT,FR)&order=code
> Accept: application/geo+json
200 {"type":"FeatureCollection","features":[{"type":"Feature","geometry":null,"properties":{"code":"AT","name":"Austria"}},{"type":"Feature","geometry":null,"properties":{"code":"FR","name":"France"}}]}
< Content-Type: application/geo+json; charset=utf-8

GET /maps/no_rows
> Accept: application/geo+json
200 {"type":"FeatureCollection","features":[]}

=== there is none without PostGIS
GET /countries
> Accept: application/geo+json
404 {"code":"42883"}

=== the plan in place of the rows, as text and as JSON
GET /plans/countries
> Accept: application/vnd.pgrst.plan
200 ~ ^Aggregate
< Content-Type: application/vnd.pgrst.plan+text; for="application/json"; charset=utf-8

GET /plans/countries
> Accept: application/vnd.pgrst.plan+json
200 ~ ^\[\s*\{\s*"Plan"
< Content-Type: application/vnd.pgrst.plan+json; for="application/json"; charset=utf-8

=== the plan tells of what it is the plan, with options
GET /plans/countries
> Accept: application/vnd.pgrst.plan+json; for="text/csv"; options=analyze|verbose|settings|buffers|wal
200 ~ (?s)(?=.*"Actual Rows")(?=.*"Output")(?=.*"WAL Records").*"Settings"
< Content-Type: application/vnd.pgrst.plan+json; for="text/csv"; options=analyze|verbose|settings|buffers|wal; charset=utf-8

GET /plans/rpc/all_products?select=id
> Accept: application/vnd.pgrst.plan
200 ~ Aggregate

=== no plan where it isn't switched on
GET /countries
> Accept: application/vnd.pgrst.plan
406 {"code":"PGRST107"}

=== the root is OpenAPI or JSON, a table is not OpenAPI
GET /
> Accept: application/json
200
< Content-Type: application/openapi+json; charset=utf-8

GET /countries
> Accept: application/openapi+json
406 {"code":"PGRST107"}

GET /
> Accept: text/csv
406 {"code":"PGRST107"}

=== HEAD has the type of its GET
HEAD /countries?code=eq.AT
> Accept: text/csv
200 (empty)
< Content-Type: text/csv; charset=utf-8
