# Functions that are called by GET: arguments, results, and how they end.

use strict;
use utf8;
use warnings;

use Test::More;

use Cqrs::Shop;

my $shop = Cqrs::Shop->new(sql => <<'SQL');
create function shop.either() returns text language sql immutable as $$ select 'no argument' $$;
create function shop.either(json) returns text language sql immutable as $$ select 'a body' $$;
SQL

$shop->check(\*DATA);
$shop->stop;

done_testing;

__DATA__
=== arguments are named
GET /rpc/hello?name=world
200 = "Hello, world"
< Content-Type: application/json; charset=utf-8
< Content-Range: 0-0/*

GET /rpc/add?a=1&b=2
200 = 3

GET /rpc/hello?name=a%26b%3D%C3%A9
200 "Hello, a&b=é"

=== an argument's value may look like a filter, if the name is an argument's
GET /rpc/hello?name=eq.x
404 {"code":"PGRST202"}

GET /rpc/hello?name=mr.x
200 "Hello, mr.x"

=== a key that isn't an argument, or whose value is a filter, filters the rows
GET /rpc/customers_of?country=FR&id=gt.2&select=id
200 [{"id":3}]

GET /rpc/products_below?price=100&price=gt.10&select=name
200 [{"name":"stool"}]

=== what has a default may be left out
GET /rpc/greet
200 "Hello, world!"

GET /rpc/greet?punctuation=.
200 "Hello, world."

GET /rpc/greet?name=Ada&punctuation=?
200 "Hello, Ada?"

GET /rpc/products_below?price=100&select=id&order=id
200 [{"id":1},{"id":4}]

GET /rpc/products_below?price=100&category=4&select=id
200 [{"id":4}]

=== of an argument that is repeated the last one counts
GET /rpc/add?a=1&a=5&b=2
200 7

=== repeats of a variadic one are all passed
GET /rpc/join?words=a&words=b&words=c
200 "a+b+c"

GET /rpc/join?words=a
200 "a"

GET /rpc/join_with?separator=-&words=a&words=b
200 "a-b"

=== arrays and JSON are written as Postgres reads them
GET /rpc/sum_of?numbers={1,2,3}
200 6

GET /rpc/takes_json?data={"a":[1]}
200 {"a":[1]}

GET /rpc/takes_status?status=paid
200 "paid"

=== a length of an argument's type isn't one of the argument
GET /rpc/lengths?a=abcd&b=abcd&c=1111&d=1111
200 "abcd|abcd|1111|1111"

=== a scalar, a composite, an array, JSON, and null
GET /rpc/a_size
200 {"width":3,"height":4}

GET /rpc/words
200 ["a","b"]

GET /rpc/some_json
200 {"a":[1,null]}

GET /rpc/null_text
200 null

GET /rpc/a_small_size
200 {"width":1,"height":2}

=== a domain with a cast to JSON is shown by it
GET /rpc/all_products?select=colour&id=eq.1
200 [{"colour":"#0000FF"}]

=== sets: of scalars, of rows, of composites, as a table
GET /rpc/count_to?n=3
200 [1,2,3]
< Content-Range: 0-2/*

GET /rpc/customers_of?country=AT
200 [{"id":1,"name":"Ada","email":"ada@example.org","country":"AT","referrer":null,"born":"1990-02-28","rating":4.5,"active":true,"joined":"2024-01-01T10:00:00+00:00"}]

GET /rpc/sizes
200 [{"width":1,"height":2},{"width":3,"height":4}]

GET /rpc/price_table?minimum=200
200 [{"name":"armchair","price":350.50}]

GET /rpc/count_to?n=0
200 []
< Content-Range: */*

=== one row of a table
GET /rpc/customer?id=2&select=id,name
200 {"id":2,"name":"Bo"}

=== rows of a table that isn't exposed
GET /rpc/suppliers_hidden
401 {"code":"42501"}

GET /rpc/suppliers_hidden?order=id&limit=1
> Authorization: Bearer {clerk}
200 [{"id":1,"name":"Wood & Co","country":"AT"}]

=== OUT and INOUT are keys of an object
GET /rpc/split?number=42
200 {"tens":4,"ones":2}

GET /rpc/next_number?number=1
200 {"next":2}

GET /rpc/twice?number=4
200 {"number":8}

=== a record without columns of its own
GET /rpc/some_record
200 {"a":1,"b":"b"}

=== nothing returned is nothing answered
GET /rpc/nothing
204 (empty)
< ! Content-Type
< ! Content-Length

HEAD /rpc/nothing
204 (empty)

=== rows are selected, filtered, ordered, cut and counted like a table's
GET /rpc/all_products?select=name,category&price=gt.10&order=price.desc&limit=2&offset=1
200 [{"name":"desk","category":3},{"name":"stool","category":2}]
< Content-Range: 1-2/*
< ! Content-Location

GET /rpc/all_products?select=id&order=id&or=(id.eq.2,id.eq.3)
> Prefer: count=exact
200 [{"id":2},{"id":3}]
< Content-Range: 0-1/2

GET /rpc/all_products?select=id&order=id&limit=2
> Prefer: count=exact
206 [{"id":1},{"id":2}]
< Content-Range: 0-1/5

GET /rpc/all_products?select=id&order=id
> Range: 1-2
200 [{"id":2},{"id":3}]
< Content-Range: 1-2/*

GET /rpc/add?a=1&b=2
> Prefer: count=exact
200 3
< Content-Range: 0-0/1

=== no guess is made of what a function gives
GET /rpc/all_products?select=id&limit=2
> Prefer: count=planned
200
< Content-Range: 0-1/*
< Preference-Applied: count=planned

GET /rpc/all_products?select=id&limit=2
> Prefer: count=estimated
206
< Content-Range: 0-1/5

=== what a function's rows do not have is missed where it is named
GET /rpc/split?number=12&select=tens,one
400 {"code":"42703","message":"column pgrst_call.one does not exist","hint":"Perhaps you meant to reference the column \"pgrst_call.ones\"."}

GET /rpc/split?number=12&select=tens&ones=eq.2
200 {"tens":1}

GET /rpc/split?number=12&select=ones,tens&order=tens
200 {"ones":2,"tens":1}

GET /rpc/split?number=12&select=tens,customers(id)
400 {"code":"PGRST200","message":"Could not find a relationship between 'record' and 'customers' in the schema cache"}

=== embeds and computed fields of a function's rows
GET /rpc/all_products?select=id,gross,categories(name),suppliers(name)&id=eq.4
200 [{"id":4,"gross":11.88,"categories":{"name":"books"},"suppliers":[{"name":"Paper Ltd"}]}]

=== overloads are told apart by the names of the arguments
GET /rpc/pick
200 "nothing"

GET /rpc/pick?a=1
200 "a"

GET /rpc/pick?a=1&b=2
200 "a, b"

GET /rpc/pick?a=1&c=2
200 "a, c"

=== those that are not are asked back
GET /rpc/same?value=1
300 {"code":"PGRST203","hint":"Try renaming the parameters or the function itself in the database so function overloading can be resolved"}

GET /rpc/same?value=1
300 ~ shop\.same\(value => integer\), shop\.same\(value => text\)

=== an unknown function, and one like it
GET /rpc/helo?name=x
404 {"code":"PGRST202","message":"Could not find the function shop.helo(name) in the schema cache","hint":"Perhaps you meant to call the function shop.hello"}

GET /rpc/hello?nam=x
404 {"code":"PGRST202","details":"Searched for the function shop.hello with parameter nam, but no matches were found in the schema cache.","hint":"Perhaps you meant to call the function shop.hello(name)"}

GET /rpc/hello
404 {"code":"PGRST202","message":"Could not find the function shop.hello without parameters in the schema cache"}

GET /rpc/add?a=1&b=2&c=3
404 {"code":"PGRST202"}

GET /rpc/hello/world
404 {"code":"PGRST125"}

=== procedures, and functions of schemas that aren't exposed, are not called
GET /rpc/procedure
404 {"code":"PGRST202"}

GET /rpc/sku_read?value=a
404 {"code":"PGRST202"}

=== a parameter without a name can't be given
GET /rpc/unnamed
404 {"code":"PGRST202"}

GET /rpc/unnamed_two?x=1&y=2
404 {"code":"PGRST202"}

=== an overload without parameters is called in place of one that takes a body
GET /rpc/either
200 "no argument"

=== odd names of functions and arguments
GET /rpc/Odd Function?an argument=3&Größe=4
200 12

GET /rpc/Odd+Function?an+argument=3
404 {"code":"PGRST202"}

=== a value that the argument's type doesn't know
GET /rpc/add?a=x&b=2
400 {"code":"22P02"}

GET /rpc/takes_status?status=lost
400 {"code":"22P02"}

=== nothing is written by GET, and by HEAD
GET /rpc/write_number
405 {"code":"25006","message":"cannot execute INSERT in a read-only transaction"}

HEAD /rpc/write_number
405

=== settings of a function are those of the whole transaction
GET /rpc/with_settings
200 "5MB"

=== a function adds headers, and the same one twice
GET /rpc/with_headers
200 "headers"
< X-Shop: open
< Set-Cookie: a=1, b=2

GET /rpc/with_bad_headers
500 {"code":"PGRST111","message":"response.headers guc must be a JSON array composed of objects with a single key and a string value"}

=== a function sets the status
GET /rpc/with_status?status=418
418 "status"

GET /rpc/with_status?status=teapot
500 {"code":"PGRST112","message":"response.status guc must be a valid status code"}

=== an exception's own code may be a status
GET /rpc/raise_402
402 = {"code":"PT402","message":"Payment required","details":"The invoice is due","hint":"Pay it"}

=== an exception may be a whole answer
GET /rpc/raise_json
419 = {"code":"S1","message":"Closed","details":"Sunday","hint":"Monday"}
< X-Opens: Monday

GET /rpc/raise_bad_json
500 {"code":"PGRST121"}

=== other exceptions are what Postgres tells
GET /rpc/raise_plain
400 = {"code":"P0001","message":"No","details":"details","hint":"hint"}

=== GET of a function is in the role of the token
GET /rpc/role
200 "web_anonymous"

GET /rpc/role
> Authorization: Bearer {customer}
200 "web_customer"

=== a function of the second schema is called by its profile
GET /rpc/whoami
> Accept-Profile: other
200 "other"

GET /rpc/whoami
404 {"code":"PGRST202"}

=== HEAD is GET without the body
HEAD /rpc/all_products?id=lt.3
> Prefer: count=exact
200 (empty)
< Content-Range: 0-1/2
< ! Content-Length
