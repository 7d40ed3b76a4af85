# Related rows within rows: which relationship is meant, and what is done with
# the embedded rows.

use strict;
use utf8;
use warnings;

use Test::More;

use Cqrs::Shop;

my $shop = Cqrs::Shop->new(locations => {
    '/strict/' => 'cqrs_query schema=shop; cqrs_query_legacy_targets off;',
});

$shop->check(\*DATA);
$shop->stop;

done_testing;

__DATA__
=== the one that is referred to is an object, or null
GET /customers?select=id,countries(name)&id=in.(1,4)&order=id
200 [{"id":1,"countries":{"name":"Austria"}},{"id":4,"countries":null}]

=== those that refer are an array, or an empty one
GET /countries?select=code,customers(id)&customers.order=id&order=code
200 [{"code":"AT","customers":[{"id":1}]},{"code":"FR","customers":[{"id":2},{"id":3}]},{"code":"PT","customers":[]}]

=== a reference that is unique is an object from both sides
GET /customers?select=id,settings(theme)&id=gte.2&id=lte.3&order=id
200 [{"id":2,"settings":{"theme":"light"}},{"id":3,"settings":null}]

GET /orders?select=id,shipments(carrier)&id=in.(2,3)&order=id
200 [{"id":2,"shipments":null},{"id":3,"shipments":{"carrier":"bike"}}]

GET /shipments?select=carrier,orders(status)&id=eq.1
200 [{"carrier":"bike","orders":{"status":"sent"}}]

=== a table between two joins many to many
GET /orders?select=id,products!order_lines(name)&id=eq.1&products.order=name
200 [{"id":1,"products":[{"name":"desk"},{"name":"stool"}]}]

GET /products?select=name,orders!order_lines(id)&id=in.(1,5)&orders.order=id&order=id
200 [{"name":"stool","orders":[{"id":1},{"id":4}]},{"name":"voucher","orders":[]}]

=== a reference of two columns joins by both
GET /complaints?select=id,order_lines(order_id,product_id,quantity)&order=id
200 [{"id":1,"order_lines":{"order_id":1,"product_id":1,"quantity":4}},{"id":2,"order_lines":{"order_id":3,"product_id":2,"quantity":2}},{"id":3,"order_lines":null}]

GET /order_lines?select=order_id,product_id,complaints(reason)&order_id=eq.1&order=product_id
200 [{"order_id":1,"product_id":1,"complaints":[{"reason":"wobbles"}]},{"order_id":1,"product_id":3,"complaints":[]}]

=== everything that a select may hold is allowed within an embed
GET /customers?select=name,nation:countries(key:code::text,*)&id=eq.1
200 = [{"name":"Ada","nation":{"key":"AT","code":"AT","name":"Austria"}}]

GET /orders?select=id,what:products!order_lines(name,wide:size->width,legs:data->>legs)&id=eq.4
200 [{"id":4,"what":[{"name":"stool","wide":30,"legs":"3"}]}]

=== an embed without columns has them all
GET /customers?select=id,countries(*)&id=eq.2
200 [{"id":2,"countries":{"code":"FR","name":"France"}}]

=== embeds within embeds
GET /countries?select=code,customers(id,orders(id,order_lines(quantity,products(name))))&code=eq.FR&customers.order=id
200 [{"code":"FR","customers":[{"id":2,"orders":[{"id":3,"order_lines":[{"quantity":2,"products":{"name":"armchair"}}]}]},{"id":3,"orders":[{"id":4,"order_lines":[{"quantity":1,"products":{"name":"stool"}}]}]}]}]

=== an embed is named by table, by constraint or by column
GET /complaints?select=id,complaints_line(quantity)&id=eq.2
200 [{"id":2,"complaints_line":{"quantity":2}}]

GET /customers?select=id,country(name)&id=eq.1
200 [{"id":1,"country":{"name":"Austria"}}]

GET /orders?select=id,bill_to(street),send_to(street)&id=eq.1
200 [{"id":1,"bill_to":{"street":"Ring 1"},"send_to":{"street":"Graben 2"}}]

GET /orders?select=id,orders_customer(name)&id=eq.3
200 [{"id":3,"orders_customer":{"name":"Bo"}}]

=== a hint chooses by constraint, by column, or by the table between
GET /orders?select=id,addresses!orders_send_to(street)&id=eq.1
200 [{"id":1,"addresses":{"street":"Graben 2"}}]

GET /orders?select=id,there:addresses!send_to(street),here:addresses!bill_to(street)&id=eq.1
200 [{"id":1,"there":{"street":"Graben 2"},"here":{"street":"Ring 1"}}]

GET /addresses?select=id,orders!send_to(id)&orders.order=id&order=id
200 [{"id":1,"orders":[{"id":2}]},{"id":2,"orders":[{"id":1}]},{"id":3,"orders":[{"id":3}]}]

GET /customers?select=name,products!favourites(name)&id=eq.1&products.order=name
200 [{"name":"Ada","products":[{"name":"armchair"},{"name":"stool"}]}]

GET /customers?select=name,liked:products!favourites(name),rated:products!ratings(name)&id=eq.2
200 [{"name":"Bo","liked":[{"name":"armchair"}],"rated":[{"name":"stool"}]}]

GET /customers?select=id,countries!code(name)&id=eq.1
200 [{"id":1,"countries":{"name":"Austria"}}]

=== which of several is meant is asked back
GET /orders?select=id,addresses(street)
300 ~ ^\{"code":"PGRST201",.*"details":\[\{"cardinality":"many-to-one","embedding":"orders with addresses","relationship":"orders_bill_to using orders\(bill_to\) and addresses\(id\)"\},

GET /orders?select=id,addresses(street)
300 ~ "hint":"Try changing 'addresses' to one of the following: 'addresses!orders_bill_to', 'addresses!orders_send_to'\.

GET /customers?select=id,products(name)
300 ~ "cardinality":"many-to-many"

GET /orders?select=id,products(name)
300 ~ 'products!line_list', 'products!order_lines'

=== what is not related is refused, with what was looked for
GET /customers?select=id,nothing(id)
400 {"code":"PGRST200","message":"Could not find a relationship between 'customers' and 'nothing' in the schema cache","details":"Searched for a foreign key relationship between 'customers' and 'nothing' in the schema 'shop', but no matches were found."}

GET /customers?select=id,order(id)
400 {"code":"PGRST200","hint":"Perhaps you meant 'orders' instead of 'order'."}

GET /orders?select=id,addresses!nothing(id)
400 {"code":"PGRST200"}

=== inner leaves out who has none, left keeps them
GET /customers?select=id,settings!inner(theme)&order=id
200 [{"id":1,"settings":{"theme":"dark"}},{"id":2,"settings":{"theme":"light"}}]

GET /customers?select=id,orders!inner(id)&orders.status=eq.sent
200 [{"id":2,"orders":[{"id":3}]}]

GET /customers?select=id,orders!left(id)&orders.status=eq.sent&order=id
200 [{"id":1,"orders":[]},{"id":2,"orders":[{"id":3}]},{"id":3,"orders":[]},{"id":4,"orders":[]}]

=== inner within inner, and within left
GET /customers?select=id,orders!inner(id,products!order_lines!inner(name))&orders.products.name=eq.novel
200 [{"id":1,"orders":[{"id":2,"products":[{"name":"novel"}]}]}]

GET /customers?select=id,orders(id,products!order_lines!inner(name))&orders.products.name=eq.novel&id=lt.3&order=id
200 [{"id":1,"orders":[{"id":2,"products":[{"name":"novel"}]}]},{"id":2,"orders":[]}]

=== inner beside a hint
GET /orders?select=id,addresses!orders_send_to!inner(city)&addresses.city=eq.Paris
200 [{"id":3,"addresses":{"city":"Paris"}}]

GET /orders?select=id,addresses!inner!orders_send_to(city)&addresses.city=eq.Paris
200 [{"id":3,"addresses":{"city":"Paris"}}]

=== filters, order, limit and offset of an embed are of its rows
GET /customers?select=id,orders(id)&orders.status=neq.new&id=eq.1
200 [{"id":1,"orders":[{"id":1}]}]

GET /customers?select=id,orders(id)&orders.order=id.desc&orders.limit=1&id=eq.1
200 [{"id":1,"orders":[{"id":2}]}]

GET /customers?select=id,orders(id)&orders.order=id&orders.offset=1&id=eq.1
200 [{"id":1,"orders":[{"id":2}]}]

GET /countries?select=code,customers(id,orders(id,products!order_lines(name)))&customers.orders.products.order=name.desc&customers.orders.products.limit=1&code=eq.AT&customers.orders.id=eq.1
200 [{"code":"AT","customers":[{"id":1,"orders":[{"id":1,"products":[{"name":"stool"}]}]}]}]

=== the name that an embed got is the one to filter by
GET /customers?select=id,bought:orders(id)&bought.order=id.desc&bought.status=eq.new&id=eq.1
200 [{"id":1,"bought":[{"id":2}]}]
< ! Warning

=== the table's name does also, with a warning
GET /customers?select=id,bought:orders(id)&orders.status=eq.new&id=eq.1
200 [{"id":1,"bought":[{"id":2}]}]
< Warning: /^299 .*Update `orders` to `bought`/

=== unless that is switched off
GET /strict/customers?select=id,bought:orders(id)&orders.status=eq.new
400 {"code":"PGRST108"}

GET /strict/customers?select=id,bought:orders(id)&bought.status=eq.new&id=eq.1
200 [{"id":1,"bought":[{"id":2}]}]

=== a path to what is not embedded is refused
GET /customers?select=*&orders.id=eq.1
400 {"code":"PGRST108","message":"'orders' is not an embedded resource in this request"}

GET /customers?select=*&orders.order=id
400 {"code":"PGRST108"}

GET /customers?select=id,orders(id)&orders.products.limit=1
400 {"code":"PGRST108"}

=== an embed that is null: who has none
GET /customers?select=id,orders()&orders=is.null
200 [{"id":4}]

GET /customers?select=id,settings()&settings=is.null&order=id
200 [{"id":3},{"id":4}]

=== an embed that is not null: who has one
GET /customers?select=id,orders()&orders=not.is.null&orders.status=eq.new
200 [{"id":1}]

GET /customers?select=id,c:countries()&c=not.is.null&order=id
200 [{"id":1},{"id":2},{"id":3}]

=== that is possible within groups
GET /customers?select=id,orders(),settings()&or=(orders.is.null,settings.not.is.null)&order=id
200 [{"id":1},{"id":2},{"id":4}]

GET /customers?select=id,orders(),settings()&not.and=(orders.not.is.null,settings.not.is.null)&order=id
200 [{"id":3},{"id":4}]

=== no other operator is of a whole embed
GET /customers?select=id,orders()&orders=eq.1
400 {"code":"PGRST120"}

GET /customers?select=id,orders()&or=(orders.is.true,id.eq.1)
400 {"code":"PGRST120"}

=== an embed without anything joins, and is not shown
GET /customers?select=id,orders()&id=eq.1
200 [{"id":1}]

GET /customers?select=id,orders!inner()&orders.status=eq.returned
200 [{"id":3}]

=== rows are ordered by a column of the one they refer to
GET /customers?select=id,countries(name)&order=countries(name).desc.nullslast,id.desc
200 [{"id":3,"countries":{"name":"France"}},{"id":2,"countries":{"name":"France"}},{"id":1,"countries":{"name":"Austria"}},{"id":4,"countries":null}]

GET /orders?select=id,there:send_to(city)&order=there(city).nullsfirst,id.desc
200 [{"id":4,"there":null},{"id":3,"there":{"city":"Paris"}},{"id":2,"there":{"city":"Vienna"}},{"id":1,"there":{"city":"Vienna"}}]

GET /customers?select=id,orders(id,buyer:customers(name))&orders.order=buyer(name)&id=eq.2
200 [{"id":2,"orders":[{"id":3,"buyer":{"name":"Bo"}}]}]

GET /customers?select=id,countries()&order=countries(name).nullslast,id
200 [{"id":1},{"id":2},{"id":3},{"id":4}]

GET /customers?select=id,c:countries(name)&order=c(nam)
400 {"code":"42703","message":"column customers_c_1.nam does not exist","hint":"Perhaps you meant to reference the column \"customers_c_1.name\"."}

=== not by one of many
GET /customers?select=id,orders(id)&order=orders(id)
400 {"code":"PGRST118"}

=== a function of a row that returns rows is a relationship
GET /customers?select=id,paid_orders(id)&id=lt.3&order=id
200 [{"id":1,"paid_orders":[{"id":1}]},{"id":2,"paid_orders":[]}]

=== of one row, if it says so or returns no set
GET /customers?select=id,newest:last_order(id)&id=in.(1,4)&order=id
200 [{"id":1,"newest":{"id":2}},{"id":4,"newest":null}]

GET /orders?select=id,buyer(name)&id=eq.3
200 [{"id":3,"buyer":{"name":"Bo"}}]

=== it stands in place of a relationship of its name
GET /products?select=id,categories(name)&id=eq.1
200 [{"id":1,"categories":{"name":"chairs"}}]

=== it may be filtered, ordered, joined and gone on from
GET /customers?select=id,paid_orders!inner(id,products!order_lines(name))&paid_orders.products.order=name&paid_orders.products.limit=1
200 [{"id":1,"paid_orders":[{"id":1,"products":[{"name":"desk"}]}]}]

=== rows of a table within rows of the same table
GET /customers?select=id,by:referrer(name)&id=in.(1,4)&order=id
200 [{"id":1,"by":null},{"id":4,"by":{"name":"Bo"}}]

GET /customers?select=id,brought:customers!referrer(id)&id=eq.1&brought.order=id
200 [{"id":1,"brought":[{"id":2},{"id":3}]}]

GET /customers?select=id,referred(id,referred(id))&id=eq.1&referred.order=id
200 [{"id":1,"referred":[{"id":2,"referred":[{"id":4}]},{"id":3,"referred":[]}]}]

GET /categories?select=name,above:parent(name,above:parent(name))&id=eq.2
200 [{"name":"chairs","above":{"name":"furniture","above":null}}]

GET /products?select=name,accessories!accessories_product(accessory_id)&id=eq.3&accessories.order=accessory_id
200 [{"name":"desk","accessories":[{"accessory_id":1},{"accessory_id":2}]}]

=== a view has the relationships of the columns that it shows
GET /order_list?select=id,shipments(carrier)&id=eq.3
200 [{"id":3,"shipments":{"carrier":"bike"}}]

GET /buyers?select=buyer_id,countries(name)&buyer_id=eq.1
200 [{"buyer_id":1,"countries":{"name":"Austria"}}]

GET /orders?select=id,buyers(buyer_name)&id=eq.1
200 [{"id":1,"buyers":{"buyer_name":"Ada"}}]

GET /products?select=name,suppliers(name)&id=eq.4
200 [{"name":"novel","suppliers":[{"name":"Paper Ltd"}]}]

=== so does a view of a view, of a common table expression, of a subselect
GET /loud_buyers?select=buyer_name,countries(name),orders(id)&buyer_id=eq.2
200 [{"buyer_name":"BO","countries":{"name":"France"},"orders":[{"id":3}]}]

GET /open_orders?select=id,customers(name)&order=id
200 [{"id":1,"customers":{"name":"Ada"}},{"id":2,"customers":{"name":"Ada"}}]

GET /dear_products?select=name,order_lines(quantity)&order=name
200 [{"name":"armchair","order_lines":[{"quantity":2}]},{"name":"desk","order_lines":[{"quantity":1}]}]

=== so does a materialized view, and a computed relationship of a view
GET /sales?select=orders,customers(name)&order=customer_id&limit=1
200 [{"orders":2,"customers":{"name":"Ada"}}]

GET /buyers?select=buyer_id,orders_of(id)&buyer_id=eq.3
200 [{"buyer_id":3,"orders_of":[{"id":4}]}]

=== a view that shows one column of a reference of two has no relationship by it
GET /half_lines?select=quantity,complaints(id)
400 {"code":"PGRST200"}

GET /line_list?select=o,p,complaints(reason)&o=eq.1&p=eq.1
200 [{"o":1,"p":1,"complaints":[{"reason":"wobbles"}]}]

=== rows of a function have the relationships of their table
GET /rpc/customers_of?country=FR&select=id,countries(name),orders(id)&order=id
200 [{"id":2,"countries":{"name":"France"},"orders":[{"id":3}]},{"id":3,"countries":{"name":"France"},"orders":[{"id":4}]}]

GET /rpc/customer?id=1&select=name,country(name)
200 {"name":"Ada","country":{"name":"Austria"}}

=== a partitioned table refers and is found, its partitions are not
GET /customers?select=id,visits(day)&id=eq.1&visits.order=day
200 [{"id":1,"visits":[{"day":"2023-07-01"},{"day":"2024-07-01"}]}]

GET /visits?select=day,customers(name)&id=eq.3
200 [{"day":"2024-07-02","customers":{"name":"Bo"}}]

GET /customers?select=id,visits_2023(day)
400 {"code":"PGRST200"}

=== a table between two that is not exposed joins nothing, a view of it does
GET /products?select=id,labels(text)
400 {"code":"PGRST200"}

GET /suppliers?select=name,products(id)&id=eq.2
200 [{"name":"Paper Ltd","products":[{"id":4}]}]

=== a relationship into the schema beside it is not there
GET /customers?select=id,tickets(text)
400 {"code":"PGRST200"}
