# Filters with or, and, not.

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
=== one of several may hold
GET /customers?select=id&or=(id.eq.1,name.eq.Bo)&order=id
200 [{"id":1},{"id":2}]

GET /customers?select=id&or=(id.eq.1,name.eq.Bo)&active=is.true
200 [{"id":1}]

=== all of several must hold
GET /numbers?and=(n.gt.997,n.neq.999)&order=n
200 [{"n":998},{"n":1000}]

GET /numbers?or=(n.eq.1,n.eq.2)&or=(n.eq.2,n.eq.3)
200 [{"n":2}]

=== groups within groups
GET /customers?select=id&or=(and(id.gt.1,active.is.true),and(country.eq.AT,or(id.eq.1,id.eq.9)))&order=id
200 [{"id":1},{"id":4}]

GET /numbers?and=(or(n.eq.1,n.eq.2,n.eq.3),or(n.eq.2,and(n.gt.2,n.lt.9)))&order=n
200 [{"n":2},{"n":3}]

=== not before a group, and before a member of one
GET /customers?select=id&and=(id.lt.4,not.or(id.eq.2,name.eq.Ada))
200 [{"id":3}]

GET /customers?select=id&or=(id.not.lt.4,not.and(id.gt.1,id.lt.9))&order=id
200 [{"id":1},{"id":4}]

GET /customers?select=id&or=(email.not.is.null,name.not.like.C*)&order=id
200 [{"id":1},{"id":2},{"id":4}]

=== not before the key of a group
GET /customers?select=id&not.or=(id.eq.1,id.eq.2)&order=id
200 [{"id":3},{"id":4}]

GET /customers?select=id&not.and=(id.gt.1,id.lt.4)&order=id
200 [{"id":1},{"id":4}]

=== blanks before the members of a group are skipped
GET /customers?select=id&or=( id.eq.1,  name.eq.Bo)&order=id
200 [{"id":1},{"id":2}]

GET /customers?select=id&or=(id.eq.4, and( id.gt.1 , id.lt.3 ))&order=id
200 [{"id":2},{"id":4}]

=== quotes around a value hold commas and brackets
GET /offers?select=id&or=(amount.adj."[4,5]",amount.cs."[10,11]")&order=id
200 [{"id":1},{"id":3},{"id":4}]

GET /customers?select=id&or=(name.eq."Cy, \"the third\"",id.eq.1)&order=id
200 [{"id":1},{"id":3}]

GET /documents?select=id&or=(list.eq."{3,4}",list.eq."{}")&order=id
200 [{"id":2},{"id":3}]

=== braces hold commas, too
GET /documents?select=id&or=(list.cs.{1,2},more.cs.{"n":2})&order=id
200 [{"id":1},{"id":2}]

=== a list within a group
GET /customers?select=id&or=(id.in.(1,2),name.in.("Cy, \"the third\"",x))&order=id
200 [{"id":1},{"id":2},{"id":3}]

GET /customers?select=id&or=(id.not.in.(1,2,3),id.in.())
200 [{"id":4}]

=== every operator may be a member
GET /customers?select=id&or=(active.is.unknown,country.isdistinct.FR)&order=id
200 [{"id":1},{"id":3},{"id":4}]

GET /customers?select=id&and=(name.ilike.*a*,name.match.^A,rating.gte.4,born.lt.2000-01-01)
200 [{"id":1}]

GET /offers?select=id&or=(amount.sl."[4,5]",amount.sr."[4,8]",days.nxr."(,2023-06-01)")&order=id
200 [{"id":1},{"id":4}]

=== a search, quantified, and a path within a group
GET /articles?select=id&or=(search.fts(german).Stühle,search.plfts.brown fox)&order=id
200 [{"id":1},{"id":3}]

GET /customers?select=id&or=(id.eq(any).{1,2},name.like(all).{D*,*0*})&order=id
200 [{"id":1},{"id":2},{"id":4}]

GET /documents?select=id&or=(more->a->>b.eq.y,data->0.is.not_null)&order=id
200 [{"id":2},{"id":3}]

=== a quoted column within a group
GET /Odd Names?select=select&or=("a.b,c:d(e)".eq.dots,"*".is.null)&order=select
200 [{"select":1},{"select":2}]

=== a computed field within a group
GET /customers?select=id&or=(initial.eq.A,shout.eq.BO!)&order=id
200 [{"id":1},{"id":2}]

=== a group of an embed is of its rows alone
GET /customers?select=id,orders(id)&orders.or=(id.eq.2,status.eq.sent)&id=lt.3&order=id
200 [{"id":1,"orders":[{"id":2}]},{"id":2,"orders":[{"id":3}]}]

GET /customers?select=id,orders(id)&orders.not.and=(id.gt.1,id.lt.9)&id=eq.1
200 [{"id":1,"orders":[{"id":1}]}]

GET /customers?select=id,orders!inner(id,order_lines(product_id))&orders.order_lines.or=(product_id.eq.3,quantity.eq.1)&id=eq.1&orders.order=id
200 [{"id":1,"orders":[{"id":1,"order_lines":[{"product_id":3}]},{"id":2,"order_lines":[{"product_id":4}]}]}]

=== an empty group, and one that doesn't end, are refused with a place
GET /customers?or=()
400 {"code":"PGRST100","message":"\"failed to parse logic tree (())\" (line 1, column 4)"}

GET /customers?or=(id.eq.1
400 {"code":"PGRST100"}

GET /customers?or=(id.eq.1,)
400 {"code":"PGRST100"}

GET /customers?or=(id)
400 {"code":"PGRST100"}

GET /customers?or=(id.eq.1,xor(id.eq.2,id.eq.3))
400 {"code":"PGRST100"}

=== details tell what was met, and what would fit
GET /customers?or=(id.eq.1
400 ~ "details":"unexpected .* expecting .*","hint":null\}$
