# Embeds whose columns are lifted into the row around them.

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
=== columns of one row stand beside those of the row itself
GET /customers?select=id,...countries(nation:name)&order=id
200 = [{"id":1,"nation":"Austria"}, 
 {"id":2,"nation":"France"}, 
 {"id":3,"nation":"France"}, 
 {"id":4,"nation":null}]

=== a cast, a JSON path, a star and a computed field among them
GET /order_lines?select=quantity,...products(id::text,legs:data->legs,gross)&order_id=eq.1&product_id=eq.1
200 [{"quantity":4,"id":"1","legs":3,"gross":24.00}]

GET /customers?select=id,...countries(*)&id=eq.1
200 [{"id":1,"code":"AT","name":"Austria"}]

=== a spread within a spread, and an embed within one
GET /order_lines?select=quantity,...orders(status,...customers(name))&order_id=eq.3
200 [{"quantity":2,"status":"sent","name":"Bo"}]

GET /order_lines?select=quantity,...orders(status,customers(name))&order_id=eq.3
200 [{"quantity":2,"status":"sent","customers":{"name":"Bo"}}]

=== a spread within an embed
GET /customers?select=id,orders(id,...shipments(carrier))&id=eq.2
200 [{"id":2,"orders":[{"id":3,"carrier":"bike"}]}]

=== a hint and an inner join with a spread
GET /orders?select=id,...addresses!orders_send_to!inner(city)&addresses.city=eq.Paris
200 [{"id":3,"city":"Paris"}]

=== rows are ordered by a spread
GET /customers?select=id,...countries(name)&order=countries(name).desc.nullslast,id&limit=2
200 [{"id":2,"name":"France"},{"id":3,"name":"France"}]

=== of many rows each column is an array, all in the same order
GET /orders?select=id,...order_lines(product:product_id,quantity)&order_lines.order=product_id.desc&order=id
200 [{"id":1,"product":[3,1],"quantity":[1,4]},{"id":2,"product":[4],"quantity":[1]},{"id":3,"product":[2],"quantity":[2]},{"id":4,"product":[1],"quantity":[1]}]

=== of no rows they are empty, null is a member
GET /customers?select=id,...orders(bills:bill_to)&order=id&id=gte.3
200 [{"id":3,"bills":[null]},{"id":4,"bills":[]}]

=== many to many as well
GET /orders?select=id,...products!order_lines(names:name)&products.order=name&id=eq.1
200 [{"id":1,"names":["desk","stool"]}]

=== a spread of many is filtered, and cut
GET /customers?select=id,...orders(placed:id)&orders.status=neq.new&orders.order=id&id=eq.1
200 [{"id":1,"placed":[1]}]

GET /customers?select=id,...orders(placed:id)&orders.order=id.desc&orders.limit=1&id=eq.1
200 [{"id":1,"placed":[2]}]

=== one of one within a spread of many is lifted through
GET /orders?select=id,...order_lines(quantity,...products(name))&order_lines.order=product_id&id=eq.1
200 [{"id":1,"quantity":[4,1],"name":["stool","desk"]}]

=== an embed within a spread of many is an array of objects
GET /orders?select=id,...order_lines(quantity,products(name))&order_lines.order=product_id&id=eq.1
200 [{"id":1,"quantity":[4,1],"products":[{"name":"stool"},{"name":"desk"}]}]

=== many within many nest
GET /customers?select=id,...orders(order:id,...order_lines(quantity))&orders.order=id&orders.order_lines.order=product_id&id=eq.1
200 [{"id":1,"order":[1,2],"quantity":[[4,1],[1]]}]

=== a computed relationship is spread
GET /customers?select=id,...last_order(newest:id),...paid_orders(paid:id)&id=eq.1
200 [{"id":1,"newest":2,"paid":[1]}]

=== a spread in a function's rows
GET /rpc/customers_of?country=FR&select=id,...countries(nation:name)&order=id
200 [{"id":2,"nation":"France"},{"id":3,"nation":"France"}]

=== a spread needs no name, and takes none
GET /customers?select=id,...nation:countries(name)
400 {"code":"PGRST100"}
