#!/usr/bin/perl

# Where no cqrs_partitions is given the store is asked, once per worker; who
# comes before it has answered waits, but not long.
#
# The store here is a database with nothing in it but the function that is
# asked, so that it can be missing, slow or wrong.

use strict;
use warnings;

use DBI;
use Test::More;
use Time::HiRes qw(time);

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->get;
my $vhost    = $services->vhost;
my $database = $services->database(install => 0);
my $dbh      = $database->dbh;

$vhost->declare_exchange('cqrs.commands', type => 'topic');
$vhost->declare_queue('all');
$vhost->bind('all', 'cqrs.commands', '#');

sub nginx {
    my $nginx = Cqrs::Nginx->new(http => <<"END");
        cqrs_rabbitmq  @{[ $vhost->url ]};
        cqrs_postgres  "@{[ $database->conninfo ]}";

        server {
            listen 127.0.0.1:%PORT%;
            location /learned { cqrs_command rename stream=account-alice; }
            location /again   { cqrs_command rename stream=account-alice; }
            location /given   { cqrs_command rename stream=account-alice; cqrs_partitions 1; }
        }
END
    $nginx->start;
    return ($nginx, Cqrs::Http->new($nginx->port));
}

sub store_says {
    my ($body) = @_;

    local $dbh->{PrintWarn} = 0;
    $dbh->do('create schema if not exists cqrs');
    $dbh->do("create or replace function cqrs.partition_count() returns integer
              language plpgsql as \$\$ begin $body; end \$\$");
}

sub superuser {
    return DBI->connect('dbi:Pg:dbname=postgres;host=' . $services->env('PG_SOCKET')
        . ';port=' . $services->env('PG_PORT'), $services->env('PG_USER'), '',
        { RaiseError => 1 });
}

my %json = ('Content-Type' => 'application/json');

sub routing_key {
    my ($http, $path) = @_;

    my $answer = $http->request('POST', $path, \%json, '{}');
    return $answer->{body} if $answer->{status} != 202;

    return ($vhost->get('all', 1))[0]{routing_key};
}


subtest 'learned once' => sub {
    my ($nginx, $http) = nginx();

    is(routing_key($http, '/given'), 'rename.0', 'where a number is given nobody is asked');

    like(routing_key($http, '/learned'), qr/problem:store-unavailable"/, 'no such function');
    $nginx->wait_log(qr/\[error\].*postgres ".*": the number of partitions could not be learned, "schema "cqrs" does not exist"/);

    for my $wrong ('return null', 'return 0', 'return -4', 'return 100001') {
        store_says($wrong);
        like(routing_key($http, '/learned'), qr/problem:store-unavailable"/, $wrong);
    }
    $nginx->wait_log(qr/does not say how many partitions it has/);

    # 3540231879 is the stream's number, see docs/wire.md
    store_says('return 4');
    is(routing_key($http, '/learned'), 'rename.' . 3540231879 % 4, 'of 4');

    store_says('return 7');
    is(routing_key($http, '/learned'), 'rename.' . 3540231879 % 4, 'not asked again');
    is(routing_key($http, '/again'), 'rename.' . 3540231879 % 4, 'nor by another location');

    # It is not needed any more.
    $database->dbh->disconnect;
    my $admin = superuser();
    $admin->do('alter database ' . $database->name . ' allow_connections false');
    $admin->do('select pg_terminate_backend(pid) from pg_stat_activity where datname = ?',
        undef, $database->name);
    is(routing_key($http, '/learned'), 'rename.' . 3540231879 % 4, 'nor when the store is away');
    $nginx->stop;

    ($nginx, $http) = nginx();
    my $begun = time;
    like(routing_key($http, '/learned'), qr/problem:store-unavailable"/,
        'another worker does not know it then');
    cmp_ok(time - $begun, '<', 2, 'and says so within 2 s');

    $admin->do('alter database ' . $database->name . ' allow_connections true');
    $admin->disconnect;
    ok(eval { wait_until { routing_key($http, '/learned') =~ /^rename/ } 10, 'it to be learned' },
        'learned when the store is back');
    $nginx->stop;
    $dbh = $database->dbh;
};


subtest 'a slow store' => sub {
    store_says('perform pg_sleep(0.5); return 4');
    my ($nginx, $http) = nginx();

    my @clients = map { Cqrs::Http->new($nginx->port) } 1 .. 20;
    my $begun = time;
    $_->send_request('POST', '/learned', \%json, '{}') for @clients;
    my $leaver = Cqrs::Http->new($nginx->port);
    $leaver->send_request('POST', '/learned', \%json, '{}');
    $leaver->close;

    is(scalar(grep { $_->read_answer->{status} == 202 } @clients), 20, 'all wait for the answer');
    cmp_ok(time - $begun, '>=', 0.4, 'they did wait');
    cmp_ok(time - $begun, '<', 1.4, 'together');
    $nginx->stop;

    is(scalar($vhost->get('all', 100)), 20, 'who left has sent nothing');

    store_says('perform pg_sleep(10); return 4');
    ($nginx, $http) = nginx();
    $begun = time;
    like(routing_key($http, '/learned'), qr/problem:store-unavailable"/, 'too slow');
    cmp_ok(time - $begun, '<', 2, 'nobody waits longer than 2 s');

    # Nor does a worker that is told to leave.
    $begun = time;
    $nginx->stop;
    cmp_ok(time - $begun, '<', 5, 'nginx leaves');
};

done_testing;
