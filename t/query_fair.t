# Quick queries and slow ones: several share a connection, and none of them
# waits for long behind another.

use strict;
use warnings;

use Test::More;

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Query;
use Cqrs::Wait qw(wait_until);

my $database = Cqrs::Query->database;
my $conninfo = $database->conninfo(Cqrs::Query::USER);
my $quick = '/items?select=id&id=eq.3';

$database->dbh->do('create view api.sleepy as select api.nap(2) as slept');
$database->dbh->do('create view api.dozy as select api.nap(0.3) as slept');
$database->dbh->do('create table api.changing as select 1 as n');
$database->dbh->do('grant select on all tables in schema api to ' . Cqrs::Query::USER);

my $nginx = Cqrs::Nginx->new(http => <<"CONFIG");
server {
    listen 127.0.0.1:%PORT%;

    location /one/ {
        cqrs_postgres "$conninfo application_name=one" pool=1 timeout=10s;
        cqrs_query schema=api;
    }
    location /two/ {
        cqrs_postgres "$conninfo application_name=two" pool=2 timeout=10s;
        cqrs_query schema=api;
    }
    location /off/ {
        cqrs_postgres "$conninfo application_name=off" pool=2 pipeline=1 timeout=10s;
        cqrs_query schema=api;
    }
}
CONFIG
$nginx->start;
my $http = Cqrs::Http->new($nginx->port, timeout => 20);

subtest 'many at once' => sub {
    for my $pool ('one', 'two', 'off') {
        is(quick($pool, 64, 10), 0, "are all answered, with pool \"$pool\"");
    }
    is(scalar backends('one'), 1, 'by one connection, where there is one');
    cmp_ok(scalar backends('two'), '<=', 2, 'or by two');
};

subtest 'a slow query' => sub {
    my $slow = begin('/two/sleepy', 'two', 1);
    is(quick('two', 40, 5), 0, 'lets 200 quick ones pass');
    is(running('two'), 1, 'and is not over then');
    is($slow->read_answer->{body}, '[{"slept":true}]', 'but answered in the end');
};

# The text of each is new, so nobody knows that it is slow.
subtest 'an unknown slow query' => sub {
    for my $n (1 .. 3) {
        my $slow = Cqrs::Http->new($nginx->port);
        my @clients = clients(40);
        $slow->send_request('GET', "/two/sleepy?select=c$n:slept");
        is(quick('two', \@clients, 5), 0, "no. $n lets those pass that came with it");
        is(running('two'), 1, 'and is not over then');
        is($slow->read_answer->{body}, qq([{"c$n":true}]), 'but answered in the end');
    }
};

subtest 'two slow queries' => sub {
    is(quick('two', 40, 1), 0, 'among quick ones');
    my @slow = clients(2);
    $_->send_request('GET', '/two/dozy?select=x:slept') for @slow;
    $_->read_answer for @slow;

    is(quick('two', 40, 1), 0, 'when they are known');
    $_->send_request('GET', '/two/dozy?select=x:slept') for @slow;
    wait_running('two', 1);
    is(quick('two', 40, 5), 0, 'leave a connection to quick ones');
    is($_->read_answer->{body}, '[{"x":true}]', 'and are both answered') for @slow;
};

subtest 'a slow query among many quick ones' => sub {
    is($http->get('/one/dozy')->{status}, 200, 'that is known');
    my $slow = Cqrs::Http->new($nginx->port);
    my @clients = clients(32);
    $_->send_request('GET', "/one$quick") for @clients;
    $slow->send_request('GET', '/one/dozy');
    my ($wrong, $rounds) = (0, 0);
    until (IO::Select->new($slow->{socket})->can_read(0) || ++$rounds == 10_000) {
        my $client = shift @clients;
        $wrong++ if $client->read_answer->{body} ne '[{"id":3}]';
        $client->send_request('GET', "/one$quick");
        push @clients, $client;
    }
    is($slow->read_answer->{status}, 200, 'has its turn');
    $wrong += grep { $_->read_answer->{body} ne '[{"id":3}]' } @clients;
    is($wrong, 0, 'and they theirs');
};

subtest 'what leaves behind a slow query' => sub {
    my $slow = begin('/one/dozy?select=y:slept', 'one', 1);
    my @behind = clients(5);
    $_->send_request('GET', "/one$quick") for @behind;
    $_->close for @behind[0 .. 3];
    $slow->close;
    is($behind[4]->read_answer->{body}, '[{"id":3}]', 'is missed by nobody');
    is($http->get("/one$quick")->{body}, '[{"id":3}]', 'and the next one is served');
};

subtest 'queries that fail' => sub {
    my @clients = clients(64);
    for my $round (1 .. 5) {
        $clients[$_]->send_request('GET', $_ % 4 ? "/one/items?select=d$round:id&id=eq.3"
            : "/one/broken?select=e$round:id") for 0 .. 63;
        my @answers = map { $_->read_answer } @clients;
        is(scalar(grep { $_->{body} eq qq([{"d$round":3}]) } @answers), 48,
            'are alone with their error');
        is(scalar(grep { $_->{body} =~ /"22012"/ } @answers), 16, 'which each of them is told');
    }
};

subtest 'what was prepared' => sub {
    is($http->get('/one/changing')->{body}, '[{"n":1}]', 'for a table');
    $database->dbh->do(q(alter table api.changing alter n type text using 'one'));
    my @clients = clients(20);
    $_->send_request('GET', '/one/changing') for @clients;
    my %statuses = map { $_->read_answer->{status} => 1 } @clients;
    is_deeply([ keys %statuses ], [200], 'is prepared anew when that was altered');

    my $told = 0;
    for my $n (1 .. 400) {
        my @some = @clients[0 .. 3];
        $_->send_request('GET', "/one/items?select=f$n:id&id=eq.1") for @some;
        $told += grep { $_->read_answer->{body} eq qq([{"f$n":1}]) } @some;
    }
    is($told, 1600, 'makes room for more, also while it is asked for');
};

$nginx->stop;
done_testing;


sub clients {
    my ($count) = @_;

    my @clients = map { Cqrs::Http->new($nginx->port, timeout => 20) } 1 .. $count;
    return @clients;
}

# How many of so many clients' queries, a few each, are not answered as they
# should be.
sub quick {
    my ($pool, $clients, $rounds) = @_;

    my @clients = ref $clients ? @$clients : clients($clients);
    my $wrong = 0;
    for (1 .. $rounds) {
        $_->send_request('GET', "/$pool$quick") for @clients;
        $wrong += grep { $_->read_answer->{body} ne '[{"id":3}]' } @clients;
    }

    return $wrong;
}

# A request whose query runs.
sub begin {
    my ($path, $pool, $count) = @_;

    my ($client) = clients(1);
    $client->send_request('GET', $path);
    wait_running($pool, $count);

    return $client;
}

sub wait_running {
    my ($pool, $count) = @_;

    wait_until { running($pool) == $count } 10, "$count running queries";
}

sub running {
    my ($pool) = @_;

    return $database->value(<<'SQL', $pool);
select count(*) from pg_stat_activity
 where datname = current_database() and application_name = ? and wait_event = 'PgSleep'
SQL
}

# One connection listens, and runs no queries.
sub backends {
    my ($pool) = @_;

    return @{ $database->dbh->selectcol_arrayref(<<'SQL', undef, $pool) };
select pid from pg_stat_activity
 where datname = current_database() and application_name = ? and query not like 'listen%'
SQL
}
