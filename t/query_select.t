# What is selected: columns, names for them, casts, JSON paths, aggregates.

use strict;
use utf8;
use warnings;

use Test::More;

use Cqrs::Shop;

my $shop = Cqrs::Shop->new(
    server    => 'cqrs_query_aggregates on;',
    locations => { '/plain/' => 'cqrs_query schema=shop; cqrs_query_aggregates off;' },
);

$shop->check(\*DATA);
$shop->stop;

done_testing;

__DATA__
=== columns in the order of the request
GET /customers?select=name,id&id=eq.1
200 = [{"name":"Ada","id":1}]

GET /Odd Names?select=with-dash,"a.b,c:d(e)",Größe,_t&limit=1
200 = [{"with-dash":4,"a.b,c:d(e)":"dots","Größe":3,"_t":2}]

=== an empty select is all columns, and so is none
GET /countries?code=eq.AT
200 = [{"code":"AT","name":"Austria"}]

GET /countries?select=&code=eq.AT
200 = [{"code":"AT","name":"Austria"}]

GET /countries?select=*&code=eq.AT
200 = [{"code":"AT","name":"Austria"}]

=== blanks around columns are skipped
GET /customers?select= id , name &id=eq.1
200 = [{"id":1,"name":"Ada"}]

=== another name for a column
GET /customers?select=who:name,"its number":id&id=eq.1
200 = [{"who":"Ada","its number":1}]

GET /Odd Names?select=dots:"a.b,c:d(e)"&limit=1
200 [{"dots":"dots"}]

=== a cast, and one to a type that isn't there
GET /customers?select=id::text,rating::integer,born::timestamp&id=eq.1
200 = [{"id":"1","rating":5,"born":"1990-02-28T00:00:00"}]

GET /customers?select=number:id::text&id=eq.1
200 = [{"number":"1"}]

GET /customers?select=id::nonsense
400 {"code":"42704"}

=== a star beside columns, which are there twice
GET /countries?select=code,*&code=eq.AT
200 = [{"code":"AT","code":"AT","name":"Austria"}]

GET /countries?select=*,c:code::text&code=eq.AT
200 = [{"code":"AT","name":"Austria","c":"AT"}]

=== a path into JSON has the name of its last step that is one
GET /documents?select=more->a->>b&id=eq.1
200 = [{"b":"x"}]

GET /documents?select=data->list->0,more->a&id=eq.1
200 [{"list":1,"a":{"b":"x"}}]

GET /documents?select=data->0&id=eq.3
200 [{"data":10}]

GET /documents?select=more->>0&id=eq.3
200 [{"more":"{\"d\": 1}"}]

GET /documents?select=data->list->2->>c&id=eq.1
200 [{"c":"3"}]

=== a path with a name of its own, and a cast
GET /documents?select=id,b:more->a->>b,n:more->n::integer,m:more->>n::integer&id=lt.3&order=id
200 [{"id":1,"b":"x","n":1,"m":1},{"id":2,"b":"y","n":2,"m":2}]

=== a path that leads nowhere is null
GET /documents?select=more->a->b->c,more->>zzz&id=eq.1
200 [{"c":null,"zzz":null}]

=== paths into arrays and composites
GET /documents?select=first:list->0,last:list->-1&id=eq.1
200 [{"first":1,"last":3}]

GET /products?select=size->width,size->>height&id=eq.1
200 [{"width":30,"height":"45"}]

=== a column that isn't there
GET /customers?select=banana
400 {"code":"42703","message":"column customers.banana does not exist"}

GET /customers?select=id,wanted:banana::text
400 {"code":"42703"}

=== what is no list of columns is refused
GET /customers?select=id,,name
400 {"code":"PGRST100"}

GET /customers?select=id,
400 {"code":"PGRST100"}

GET /customers?select=id::
400 {"code":"PGRST100"}

=== what follows a list of columns is not looked at
GET /customers?select=id)&id=eq.1
200 [{"id":1}]

GET /customers?select=id,orders(id)),name&id=eq.2&orders.limit=0
200 [{"id":2,"orders":[]}]

=== a computed field is selected by its name, and is not part of the star
GET /customers?select=id,initial,loud:shout&id=eq.1
200 [{"id":1,"initial":"A","loud":"ADA!"}]

GET /products?select=gross::text&id=eq.1
200 [{"gross":"24.00"}]

GET /customers?id=eq.1
200 ~ ^(?!.*initial)

=== a select that is there and names nothing shows columns as they are
GET /products?select=&id=eq.2
200 ~ "colour":65280,

GET /products?select=(&id=eq.2
200 ~ "colour":65280,

=== a domain with a cast to JSON is shown by it, wherever it is
GET /products?select=colour&id=eq.2
200 [{"colour":"#00FF00"}]

GET /products?id=eq.1
200 ~ "colour":"#0000FF","added":1704067200

GET /order_lines?select=products(colour,added)&order_id=eq.1&product_id=eq.1
200 [{"products":{"colour":"#0000FF","added":1704067200}}]

GET /products?select=colour,paint:colour&id=eq.4
200 [{"colour":null,"paint":null}]

=== a cast of the request comes after that
GET /products?select=colour::text&id=eq.2
200 [{"colour":"\"#00FF00\""}]

=== a domain with a cast from text reads the values of filters by it
GET /products?select=id&colour=eq.#0000ff
200 [{"id":1}]

GET /products?select=id&colour=in.(#0000ff,#00ff00)&order=id
200 [{"id":1},{"id":2}]

GET /products?select=id&sku=eq.sku-2
200 [{"id":2}]

=== sums, averages, least and greatest
GET /order_lines?select=quantity.sum(),quantity.avg(),quantity.min(),quantity.max()
200 [{"sum":9,"avg":1.8,"min":1,"max":4}]

=== other columns make groups
GET /order_lines?select=order_id,quantity.sum()&order=order_id
200 [{"order_id":1,"sum":5},{"order_id":2,"sum":1},{"order_id":3,"sum":2},{"order_id":4,"sum":1}]

GET /customers?select=country,active,count()&order=country,active
200 [{"country":"AT","active":true,"count":1},{"country":"FR","active":false,"count":1},{"country":"FR","active":null,"count":1},{"country":null,"active":true,"count":1}]

=== groups of what is cast are sorted by the column itself
GET /order_lines?select=order_id::text,count()&order=order_id.desc&limit=1
200 ~ ^\[\{"order_id":"\d+","count":\d+\}\]\z

=== rows and values are counted
GET /customers?select=count()
200 [{"count":4}]

GET /customers?select=all:count(),rated:rating.count()
200 [{"all":4,"rated":3}]

GET /customers?select=count()&country=eq.FR
200 [{"count":2}]

=== casts before and after an aggregate
GET /products?select=text:price::text.max(),rounded:price.sum()::integer,both:price::integer.sum()::text
200 [{"text":"9.90","rounded":580,"both":"581"}]

=== an aggregate of a JSON path
GET /documents?select=total:more->n::integer.sum()
200 [{"total":3}]

=== aggregates within an embed are of its rows
GET /orders?select=id,order_lines(quantity.sum())&id=lt.3&order=id
200 [{"id":1,"order_lines":[{"sum":5}]},{"id":2,"order_lines":[{"sum":1}]}]

GET /customers?select=name,orders(status,count())&id=eq.1&orders.order=status
200 [{"name":"Ada","orders":[{"status":"new","count":1},{"status":"paid","count":1}]}]

GET /customers?select=name,orders(count)&id=eq.1
200 [{"name":"Ada","orders":[{"count":2}]}]

=== a spread of one is grouped by, and aggregated, with what is around it
GET /orders?select=count(),...customers(country)&order=customers(country)
200 [{"count":2,"country":"AT"},{"count":2,"country":"FR"}]

GET /orders?select=status,...customers(rating.sum())&order=status
200 [{"status":"new","sum":4.5},{"status":"paid","sum":4.5},{"status":"sent","sum":3.0},{"status":"returned","sum":null}]

=== lists of a spread of many may be what rows are grouped by
GET /customers?select=count(),...orders(status)&orders.limit=0&id=gte.3
200 [{"count":2,"status":[]}]

=== an aggregate within a spread of many is refused
GET /customers?select=name,...orders(id.max())
400 {"code":"PGRST127"}

=== aggregates are off by default
GET /plain/order_lines?select=quantity.sum()
400 {"code":"PGRST123","message":"Use of aggregate functions is not allowed"}

GET /plain/customers?select=id,orders(count())
400 {"code":"PGRST123"}
