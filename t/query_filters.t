# Filters of rows: operators, quantifiers, JSON paths, and names and values that
# need quotes.

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
=== equal, and not equal
GET /customers?select=id&id=eq.2
200 [{"id":2}]

GET /customers?select=id&name=neq.Ada&order=id
200 [{"id":2},{"id":3},{"id":4}]

=== an empty value is the empty text
GET /customers?select=id&name=eq.
200 []

GET /customers?select=id&name=neq.&order=id
200 [{"id":1},{"id":2},{"id":3},{"id":4}]

=== less and greater, with the border and without
GET /products?select=id&price=gt.20&order=id
200 [{"id":2},{"id":3}]

GET /products?select=id&price=gte.20&order=id
200 [{"id":1},{"id":2},{"id":3}]

GET /products?select=id&price=lt.20&order=id
200 [{"id":4}]

GET /products?select=id&price=lte.20.00&order=id
200 [{"id":1},{"id":4}]

=== several filters must all hold, also of one column
GET /numbers?n=gt.10&n=lte.13&n=neq.12&order=n
200 [{"n":11},{"n":13}]

GET /customers?select=id&country=eq.FR&active=is.false
200 [{"id":2}]

=== what does not begin with an operator is no filter
GET /customers?id=2
400 {"code":"PGRST100"}

GET /customers?id=equals.2
400 {"code":"PGRST100"}

GET /customers?id=not.2
400 {"code":"PGRST100"}

=== patterns, where a star is any text
GET /customers?select=id&name=like.*d*&order=id
200 [{"id":1},{"id":3}]

GET /customers?select=id&name=like.A_a
200 [{"id":1}]

GET /customers?select=id&name=like.%25100\%25
200 [{"id":4}]

GET /customers?select=id&name=like.ada
200 []

GET /customers?select=id&name=ilike.*D*&order=id
200 [{"id":1},{"id":3},{"id":4}]

=== regular expressions
GET /customers?select=id&name=match.^[AB]&order=id
200 [{"id":1},{"id":2}]

GET /customers?select=id&name=match.^ada$
200 []

GET /customers?select=id&name=imatch.^ada$
200 [{"id":1}]

GET /customers?id=eq.1&name=match.(
400 {"code":"2201B"}

=== one of a list
GET /customers?select=id&id=in.(1,3,99)&order=id
200 [{"id":1},{"id":3}]

GET /customers?select=id&country=not.in.(FR,PT)
200 [{"id":1}]

=== nothing is in an empty list
GET /customers?select=id&id=in.()
200 []

GET /customers?select=id&name=in.(   )
200 []

GET /customers?select=id&id=not.in.()&order=id
200 [{"id":1},{"id":2},{"id":3},{"id":4}]

=== quotes in a list hold commas, brackets and quotes
GET /customers?select=id&name=in.("Cy, \"the third\"",Bo)&order=id
200 [{"id":2},{"id":3}]

GET /customers?select=id&name=in.("(\\)")
200 []

GET /customers?select=id&name=in.("\A\d\a")
200 [{"id":1}]

=== a quote within an element that has none around it is itself
GET /customers?select=id&name=in.(Dé 100%25,A"da,B\o)
200 [{"id":4}]

=== is null, and is not
GET /customers?select=id&email=is.null
200 [{"id":3}]

GET /customers?select=id&email=not.is.null&order=id
200 [{"id":1},{"id":2},{"id":4}]

GET /customers?select=id&email=is.not_null&order=id
200 [{"id":1},{"id":2},{"id":4}]

=== is true, false or unknown, in letters of any size
GET /customers?select=id&active=is.true&order=id
200 [{"id":1},{"id":4}]

GET /customers?select=id&active=is.FALSE
200 [{"id":2}]

GET /customers?select=id&active=is.Unknown
200 [{"id":3}]

GET /customers?select=id&active=not.is.true&order=id
200 [{"id":2},{"id":3}]

GET /customers?active=is.maybe
400 {"code":"PGRST100"}

GET /customers?active=is.nil
400 {"code":"PGRST100"}

=== distinct from a value, which null is
GET /customers?select=id&country=isdistinct.FR&order=id
200 [{"id":1},{"id":4}]

GET /customers?select=id&country=not.isdistinct.FR&order=id
200 [{"id":2},{"id":3}]

=== full text search, four ways to say what is looked for
GET /articles?select=id&search=fts.impossible %26 chair
200 [{"id":1}]

GET /articles?select=id&search=fts.cat|fox&order=id
200 [{"id":1},{"id":2}]

GET /articles?select=id&search=plfts.cats tables
200 [{"id":2}]

GET /articles?select=id&search=phfts.brown fox
200 [{"id":1}]

GET /articles?select=id&search=phfts.fox brown
200 []

GET /articles?select=id&search=wfts.cats -fox
200 [{"id":2}]

GET /articles?select=id&search=not.fts.cat&order=id
200 [{"id":1},{"id":3}]

=== the language of a search is said in brackets
GET /articles?select=id&search=fts(german).Stühle
200 [{"id":3}]

GET /articles?select=id&search=plfts(german).unmögliche Art
200 [{"id":3}]

GET /articles?select=id&search=phfts(english).quick brown
200 [{"id":1}]

GET /articles?select=id&search=wfts(german)."Art Spaß"
200 [{"id":3}]

GET /articles?search=fts(klingon).x
400 {"code":"42704"}

=== a text that is searched becomes words first
GET /articles?select=id&body=fts(english).table
200 [{"id":2}]

GET /articles?select=id&title=plfts(simple).on chairs
200 [{"id":1}]

GET /documents?select=id&more=fts.y
200 [{"id":2}]

=== arrays contain, are contained, and overlap
GET /documents?select=id&list=cs.{3}&order=id
200 [{"id":1},{"id":2}]

GET /documents?select=id&list=cs.{1,3}
200 [{"id":1}]

GET /documents?select=id&list=cd.{3,4,5}&order=id
200 [{"id":2},{"id":3}]

GET /documents?select=id&list=ov.{4,1}&order=id
200 [{"id":1},{"id":2}]

GET /products?select=id&tags=cs.{"c,d"}
200 [{"id":5}]

=== so do JSON and ranges
GET /documents?select=id&more=cs.{"n":2}
200 [{"id":2}]

GET /documents?select=id&more=cd.{"a":{"b":"x"},"n":1,"more":true}
200 [{"id":1}]

GET /offers?select=id&amount=cs.[5,5]
200 [{"id":2}]

GET /offers?select=id&amount=cd.[0,7)&order=id
200 [{"id":1},{"id":2}]

GET /offers?select=id&amount=ov.[3,5]&order=id
200 [{"id":1},{"id":2}]

=== ranges left of, right of, beside each other
GET /offers?select=id&amount=sl.[7,8]&order=id
200 [{"id":1},{"id":2}]

GET /offers?select=id&amount=sr.[1,5]&order=id
200 [{"id":3},{"id":4}]

GET /offers?select=id&amount=nxr.[1,6]&order=id
200 [{"id":1},{"id":2}]

GET /offers?select=id&amount=nxl.[6,7]&order=id
200 [{"id":3},{"id":4}]

GET /offers?select=id&days=adj.[2024-02-01,2024-03-01)
200 [{"id":1}]

GET /offers?select=id&hours=cs.["2024-01-01 09:30","2024-01-01 10:00")
200 [{"id":1}]

=== not stands before any operator
GET /customers?select=id&id=not.gt.1
200 [{"id":1}]

GET /customers?select=id&name=not.like.*a*&order=id
200 [{"id":2},{"id":3},{"id":4}]

GET /documents?select=id&list=not.cs.{3}&order=id
200 [{"id":3}]

GET /customers?id=not.not.eq.1
400 {"code":"PGRST100"}

=== any and all of several values
GET /customers?select=id&id=eq(any).{1,4}&order=id
200 [{"id":1},{"id":4}]

GET /numbers?n=gt(all).{997,998}&order=n
200 [{"n":999},{"n":1000}]

GET /customers?select=id&name=like(any).{A*,B*}&order=id
200 [{"id":1},{"id":2}]

GET /customers?select=id&name=like(all).{*a*,A*}
200 [{"id":1}]

GET /customers?select=id&name=ilike(any).{*ADA,x}
200 [{"id":1}]

GET /customers?select=id&name=match(any).{^B,^D}&order=id
200 [{"id":2},{"id":4}]

GET /customers?select=id&name=imatch(all).{^a,a$}
200 [{"id":1}]

GET /customers?select=id&id=not.eq(any).{1,2,3}
200 [{"id":4}]

GET /customers?select=id&rating=lt(any).{4,5}&rating=gte(all).{1,3}&order=id
200 [{"id":1},{"id":2}]

GET /customers?select=id&rating=lte(any).{3}
200 [{"id":2}]

=== operators of sets and words have no any and all
GET /customers?id=in(any).(1)
400 {"code":"PGRST100"}

GET /documents?list=cs(all).{1}
400 {"code":"PGRST100"}

GET /customers?id=neq(any).{1}
400 {"code":"PGRST100"}

=== a column with odd characters is put in quotes
GET /Odd Names?select=select&"a.b,c:d(e)"=eq.dots
200 [{"select":1}]

GET /Odd Names?select=select&"*"=eq.star
200 [{"select":1}]

GET /Odd Names?select=select&"with \"quote"=eq.quote
200 [{"select":1}]

=== dollars, dashes, umlauts and blanks need no quotes
GET /Odd Names?select=select&_t=eq.2&with-dash=eq.4&Größe=eq.3
200 [{"select":1}]

=== a step into JSON compares JSON, two compare text
GET /documents?select=id&more->a->>b=eq.y
200 [{"id":2}]

GET /documents?select=id&data->>n=eq.1
200 [{"id":1}]

GET /documents?select=id&more->n=gt.1
200 [{"id":2}]

GET /documents?select=id&more->a->>b=in.(x,y)&order=id
200 [{"id":1},{"id":2}]

GET /documents?select=id&more->a=eq.{"b":"x"}
200 [{"id":1}]

=== a number is an index, a negative one counts from the end
GET /documents?select=id&data->0=is.not_null
200 [{"id":3}]

GET /documents?select=id&data->list->2->>c=eq.3
200 [{"id":1}]

GET /documents?select=id&more->-1->>d=eq.2
200 [{"id":3}]

=== a path into an array, and into a composite
GET /documents?select=id&list->0=eq.3
200 [{"id":2}]

GET /documents?select=id&list->>-1=eq.4
200 [{"id":2}]

GET /products?select=id&size->>width=eq.80
200 [{"id":2}]

GET /products?select=id&size->width=gte.30&order=id
200 [{"id":1},{"id":2}]

=== a cast is no part of a filter, and what is none is not looked at
GET /customers?select=id&id::text=eq.1
200 [{"id":1}]

GET /customers?select=id&id=in.(1,2)x&order=id&email=is.not_nullable
200 [{"id":1},{"id":2}]

=== a computed field is filtered like a column
GET /customers?select=id&initial=eq.B
200 [{"id":2}]

GET /customers?select=id&always_true=is.true&id=lt.3&order=id
200 [{"id":1},{"id":2}]

GET /products?select=id&gross=gt.200&order=id
200 [{"id":2},{"id":3}]

=== a computed field of the extra search path, and none of a hidden schema
GET /customers?select=id&shout=eq.ADA!
200 [{"id":1}]

GET /customers?select=id&whisper=eq.ada
400 {"code":"42703"}

=== a value that the type doesn't know is Postgres' own error
GET /customers?id=eq.x
400 {"code":"22P02","message":"invalid input syntax for type integer: \"x\""}

GET /customers?born=gt.2024-02-30
400 {"code":"22008"}

GET /orders?status=eq.lost
400 {"code":"22P02"}

=== values compare as what the column is
GET /customers?select=id&born=lt.1986-1-1
200 [{"id":2}]

GET /kinds?select=id&uuid=eq.11111111222233334444555555555555
200 [{"id":1}]

GET /kinds?select=id&interval=gt.1 day
200 [{"id":1}]

GET /orders?select=id&status=gte.sent&order=id
200 [{"id":3},{"id":4}]
