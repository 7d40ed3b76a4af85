# The catalogue is read again when somebody says so in the database.

use strict;
use warnings;

use Test::More;

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Query;
use Cqrs::Wait qw(wait_until);

my $database = Cqrs::Query->database;
my $conninfo = $database->conninfo(Cqrs::Query::USER);
my $dbh = $database->dbh;

my $nginx = Cqrs::Nginx->new(http => <<"CONFIG");
cqrs_postgres "$conninfo";
cqrs_query_channel 'the "shop"';
server {
    listen 127.0.0.1:%PORT%;
    location /api/   { cqrs_query schema=api; }
    location /other/ { cqrs_query schema=other; }
}
CONFIG
$nginx->start;
my $http = Cqrs::Http->new($nginx->port);

wait_until { listening() } 5, 'nginx to listen';
wait_until { relations('api') && relations('other') } 5, 'the first load';

is(sessions(), 1, 'one connection listens for all locations of a database');

my $known = relations('api');
$dbh->do('create table api.one (id integer)');
notify('reload schema');
wait_until { relations('api') == $known + 1 } 5, 'the new table';
pass('"reload schema" has it read');

$dbh->do('create table api.two (id integer)');
notify('');
wait_until { relations('api') == $known + 2 } 5, 'the second table';
pass('so has an empty message');

is($http->get('/api/items?select=id&limit=1')->{status}, 200, 'requests are served');

my $before = loads('api');
notify('reload config');
notify('reload schema') for 1 .. 300;
$dbh->do('create table api.three (id integer)');
notify('reload schema');
wait_until { relations('api') == $known + 3 } 5, 'what came last';
cmp_ok(loads('api') - $before, '<', 100, 'many messages are few loads');

$dbh->do('create table api.four (id integer)');
end_sessions("query like 'listen%'");
wait_until { relations('api') == $known + 4 } 5, 'to listen again';
pass('what was said while nobody listened is not missed');

# A load fails, and later ones do not.
$dbh->do('revoke select on pg_catalog.pg_rewrite from public');
$dbh->do('create table api.five (id integer)');
$before = failures();
notify('reload schema');
wait_until { failures() > $before + 2 } 5, 'loads to fail';
is($http->get('/api/items?select=id&limit=1')->{status}, 200,
    'what was known stays when a load fails');
my $errors = () = $nginx->log =~ /\[error\].*catalogue not loaded/g;
is($errors, 2, 'and is one line in the log for each catalogue, not for each attempt');

$dbh->do('grant select on pg_catalog.pg_rewrite to public');
wait_until { relations('api') == $known + 5 } 10, 'the load that succeeds';
pass('it is read as soon as it can be');

$nginx->reload;
wait_until { sessions() == 1 } 10, 'the old worker to end';
pass('a reload leaves one connection');

$nginx->stop;
is(sessions(), 0, 'the end leaves none');

done_testing;


sub notify {
    my ($payload) = @_;

    $dbh->do('select pg_catalog.pg_notify(?, ?)', undef, 'the "shop"', $payload);
}

# How many the last load of a schema found.
sub relations {
    my ($schema) = @_;

    my @found = $nginx->log =~ /catalogue loaded, (\d+) relations in \{"$schema"\}/g;

    return @found ? $found[-1] : 0;
}

sub loads {
    my ($schema) = @_;

    return scalar(() = $nginx->log =~ /catalogue loaded, \d+ relations in \{"$schema"\}/g);
}

sub failures { return scalar(() = $nginx->log =~ /catalogue not loaded/g) }

sub listening { return $nginx->log =~ /listening to "the "shop""/ }

sub sessions {
    return $database->value(
        q{select count(*) from pg_stat_activity where datname = ? and query like 'listen "the%'},
        $database->name);
}

sub end_sessions {
    my ($which) = @_;

    $dbh->do('select pg_terminate_backend(pid) from pg_stat_activity '
            . "where datname = ? and pid <> pg_backend_pid() and $which",
        undef, $database->name);
}
