# Which status an error has, and what its answer tells.

use strict;
use utf8;
use warnings;

use Test::More;

use Cqrs::Http;
use Cqrs::Shop;

my $shop = Cqrs::Shop->new(
    sql       => <<'SQL',
create function shop.fail(state text) returns void language plpgsql stable as $$
    begin raise exception using errcode = state, message = 'failed'; end $$
SQL
    locations => { '/brief/' => 'cqrs_query schema=shop; cqrs_query_error_verbosity minimal;' },
    http      => <<'CONFIG',
server {
    listen 127.0.0.1:%PORT2%;
    location / { cqrs_query schema=shop; cqrs_query_anonymous_role web_anonymous; }
}
CONFIG
);

$shop->check(\*DATA);

subtest 'a token where there is no key for it' => sub {
    my $http = Cqrs::Http->new($shop->nginx->port(2));

    my $answer = $http->get('/countries', { Authorization => 'Bearer ' . $shop->token('clerk') });
    is($answer->{status}, 500, 'is the server\'s fault');
    like($answer->{body}, qr/"code":"PGRST300"/, 'in the form of an error');

    is($http->get('/countries')->{status}, 200, 'without one the anonymous role reads');
};

$shop->stop;

done_testing;

__DATA__
=== an error tells four things, also those that it has nothing to say of
GET /nobody
404 = {"code":"PGRST205","message":"Could not find the table 'shop.nobody' in the schema cache","details":null,"hint":null}
< Content-Type: application/json; charset=utf-8
< Content-Length: 117
< Proxy-Status: PostgREST; error=PGRST205

GET /customers?id=eq.x
400 = {"code":"22P02","message":"invalid input syntax for type integer: \"x\"","details":null,"hint":null}
< Proxy-Status: PostgREST; error=22P02

=== or two, where details are not for clients
GET /brief/nobody
404 = {"code":"PGRST205","message":"Could not find the table 'shop.nobody' in the schema cache"}

GET /brief/rpc/raise_plain
400 = {"code":"P0001","message":"No"}

=== an error is JSON, whatever was accepted
GET /nobody
> Accept: text/csv
404 {"code":"PGRST205"}
< Content-Type: application/json; charset=utf-8

=== what Postgres finds wrong in the request is 400
GET /rpc/fail?state=22003
400 = {"code":"22003","message":"failed","details":null,"hint":null}

GET /rpc/fail?state=23514
400

GET /rpc/fail?state=42703
400

GET /rpc/fail?state=2201B
400

GET /rpc/fail?state=P0001
400

GET /rpc/fail?state=Z0001
400

=== what may not be is 403, or 401 to somebody without a token
GET /rpc/fail?state=42501
401
< WWW-Authenticate: Bearer

GET /rpc/fail?state=42501
> Authorization: Bearer {customer}
403
< ! WWW-Authenticate

GET /rpc/fail?state=0L000
403

GET /rpc/fail?state=0P000
403

GET /rpc/fail?state=28000
403

=== what isn't there is 404
GET /rpc/fail?state=42883
404

GET /rpc/fail?state=42P01
404

=== what would write is 405
GET /rpc/fail?state=25006
405

=== what contradicts other rows is 409
GET /rpc/fail?state=23503
409

GET /rpc/fail?state=23505
409

=== what is the server's own trouble is 500
GET /rpc/fail?state=09000
500

GET /rpc/fail?state=25001
500

GET /rpc/fail?state=2D000
500

GET /rpc/fail?state=38000
500

GET /rpc/fail?state=39000
500

GET /rpc/fail?state=3B000
500

GET /rpc/fail?state=40000
500

GET /rpc/fail?state=54000
500

GET /rpc/fail?state=55000
500

GET /rpc/fail?state=58000
500

GET /rpc/fail?state=F0000
500

GET /rpc/fail?state=HV000
500

GET /rpc/fail?state=XX000
500

GET /rpc/fail?state=P0002
500

GET /rpc/fail?state=21000
500

GET /rpc/fail?state=42P17
500

GET /rpc/fail?state=53400
500

=== what has no room is 503
GET /rpc/fail?state=53000
503

GET /rpc/fail?state=08000
503

=== a status of an exception's own
GET /rpc/fail?state=PT404
404 {"code":"PT404"}

GET /rpc/fail?state=PT599
599 {"code":"PT599"}

GET /rpc/fail?state=PTABC
500

=== one of each code of the request itself
GET /customers?select=id,(
400 {"code":"PGRST100"}

DELETE /rpc/hello
405 {"code":"PGRST101"}

GET /numbers?limit=-1
416 {"code":"PGRST103"}

GET /customers
> Accept-Profile: nowhere
406 {"code":"PGRST106"}

GET /customers
> Accept: text/nothing
406 {"code":"PGRST107"}

GET /customers?nobody.id=eq.1
400 {"code":"PGRST108"}

GET /countries
> Accept: application/vnd.pgrst.object+json
406 {"code":"PGRST116"}

DELETE /customers
405 {"code":"PGRST117"}

GET /customers?select=id,orders(id)&order=orders(id)
400 {"code":"PGRST118"}

GET /customers?select=id,orders()&orders=eq.1
400 {"code":"PGRST120"}

GET /customers
> Prefer: handling=strict, nothing
400 {"code":"PGRST122"}

GET /customers?select=count()
400 {"code":"PGRST123"}

GET /customers/1
404 {"code":"PGRST125"}

GET /customers?select=id,nobody(id)
400 {"code":"PGRST200"}

GET /orders?select=id,addresses(id)
300 {"code":"PGRST201"}

GET /rpc/nobody
404 {"code":"PGRST202"}

GET /rpc/same?value=1
300 {"code":"PGRST203"}

GET /nobody
404 {"code":"PGRST205"}

=== HEAD of an error has its status, and no body
HEAD /nobody
404 (empty)
< Proxy-Status: PostgREST; error=PGRST205
