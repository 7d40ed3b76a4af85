# The catalogue follows the database without a restart.

use strict;
use warnings;

use Test::More;

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Query;
use Cqrs::Wait qw(wait_until);

my $database = Cqrs::Query->database;
my $conninfo = $database->conninfo(Cqrs::Query::USER);
my $user = Cqrs::Query::USER;
my $dbh = $database->dbh;

my $nginx = Cqrs::Nginx->new(http => <<"CONFIG");
cqrs_postgres "$conninfo";
server {
    listen 127.0.0.1:%PORT%;
    location /api/ { cqrs_query schema=api; }
}
CONFIG
$nginx->start;
my $http = Cqrs::Http->new($nginx->port);

is($http->get('/api/fresh')->{status}, 404, 'a table that is not there');

$dbh->do('create table api.fresh as select 1 as id');
$dbh->do("grant select on api.fresh to $user");
wait_until { $http->get('/api/fresh')->{status} == 200 } 5, 'the new table';
pass('is found soon after it was made');

$dbh->do('alter table api.fresh add column colour text default \'red\'');
wait_until { $http->get('/api/fresh?colour=eq.red&select=colour')->{status} == 200 } 5,
    'the new column';
pass('a new column can be named soon');
is($http->get('/api/fresh')->{body}, '[{"id":1,"colour":"red"}]',
    'and is among all columns then');

$dbh->do('alter table api.fresh rename column colour to color');
is($http->get('/api/fresh?colour=eq.red')->{status}, 400, 'a column that is gone');
wait_until { $http->get('/api/fresh?color=eq.red')->{status} == 200 } 5, 'the new name';
pass('is found by its new name');

$dbh->do('alter table api.fresh alter column id type text');
is($http->get('/api/fresh?select=id')->{body}, '[{"id":"1"}]',
    'a statement that was prepared before its column changed');

$dbh->do('drop table api.fresh');
my $answer = $http->get('/api/fresh');
is($answer->{status}, 404, 'a table that is gone');
wait_until { $http->get('/api/fresh')->{body} =~ /PGRST205/ } 5, 'to know it no more';
pass('is known no more soon');

$dbh->do('create table api.pen (id integer primary key)');
$dbh->do('create table api.cap (id integer, pen integer references api.pen)');
$dbh->do('create table api."Pen" (id integer)');
wait_until { $http->get('/api/Pen?select=id,cap(id)')->{body} =~ /PGRST200/ } 5,
    'a name that differs in case';
like($http->get('/api/Pen?select=id,cap(id)')->{body},
    qr/"hint":"Perhaps you meant 'pen' instead of 'Pen'\."/,
    'what is related to nothing may be meant in another case');

my $before = loads();
$http->get("/api/unknown$_") for 1 .. 200;
cmp_ok(loads() - $before, '<=', 3, '200 requests for what is not there load it seldom');

$dbh->do("create table api.t$_ (id integer)") for 1 .. 1000;
$dbh->do("grant select on all tables in schema api to $user");
wait_until { $http->get('/api/t1000')->{status} == 200 } 5, 'the last of many tables';
is($http->get("/api/t$_")->{status}, 200, "table $_ of 1,000") for 1, 500, 1000;

$nginx->stop;
done_testing;


sub loads {
    return scalar grep { /catalogue loaded/ } split /\n/, $nginx->log;
}
