# The pool and the queue before it: limits hold, and who leaves frees his place.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Query;
use Cqrs::Wait qw(wait_until);

my $database = Cqrs::Query->database;
my $conninfo = $database->conninfo(Cqrs::Query::USER);

my $nginx = Cqrs::Nginx->new(http => <<"CONFIG");
cqrs_query_channel off;                 # only the pool is counted
server {
    listen 127.0.0.1:%PORT%;
    cqrs_query_channel off;

    location /one/ {
        cqrs_postgres "$conninfo application_name=one" pool=1 queue=1 timeout=10s;
        cqrs_query schema=api;
    }
    location = /status { stub_status; }

    location /impatient/ {
        cqrs_postgres "$conninfo application_name=impatient" pool=1 timeout=300ms;
        cqrs_query schema=api;
    }
    location /two/ {
        cqrs_postgres "$conninfo application_name=two" pool=2 query_timeout=1s;
        cqrs_query schema=api;
    }
}
CONFIG
$nginx->start;
my $http = Cqrs::Http->new($nginx->port, timeout => 10);

subtest 'a client that leaves while its query runs' => sub {
    is($http->get('/one/items?id=eq.1')->{status}, 200, 'at first all is well');
    my $left = begin('/one/slow', 'one', 1);
    $left->close;
    wait_running('one', 0);
    $nginx->wait_log(qr/query cancelled, client left/);
    is($http->get('/one/items?id=eq.1')->{status}, 200, 'leaves its place to the next');
};

subtest 'a client that leaves just before its answer' => sub {
    my ($before) = backends('one');
    my $left = begin('/one/brief', 'one', 1);
    $left->close;
    is($http->get('/one/items?id=eq.1')->{status}, 200, 'costs the next one nothing');
    is_deeply([ backends('one') ], [$before], 'not even a connection');
};

subtest 'a full queue' => sub {
    my $running = begin('/one/slow', 'one', 1);

    my $waiting = Cqrs::Http->new($nginx->port);
    $waiting->send_request('GET', '/one/items?id=eq.1');
    wait_requests(2);

    my $answer = $http->get('/one/items?id=eq.1');
    is($answer->{status}, 503, 'is answered 503');
    like($answer->{body}, qr/"code":"PGRST003"/, 'in the form of an error');
    is($answer->{headers}{'retry-after'}, 1, 'with Retry-After');

    $waiting->close;
    wait_requests(1);
    my $second = Cqrs::Http->new($nginx->port);
    $second->send_request('GET', '/one/items?id=eq.2&select=id');
    wait_requests(2);
    is($http->get('/one/items?id=eq.1')->{status}, 503,
        'who leaves it makes room for one, and no more');

    $running->close;
    $answer = $second->read_answer;
    is($answer->{status}, 200, 'who waits is served when the place is free');
    is($answer->{body}, '[{"id":2}]', 'with his own rows');
};

subtest 'a wait that is too long' => sub {
    is($http->get('/impatient/items?id=eq.1')->{status}, 200, 'at first all is well');
    my $running = begin('/impatient/slow', 'impatient', 1);
    my $begun = time;
    my $answer = $http->get('/impatient/items?id=eq.1');
    is($answer->{status}, 504, 'is answered 504, since Postgres is there');
    like($answer->{body}, qr/"code":"PGRST003"/, 'in the form of an error');
    cmp_ok(time - $begun, '<', 1.5, 'in time');
    $running->close;
};

subtest 'many at once' => sub {
    my @clients = map { Cqrs::Http->new($nginx->port) } 1 .. 40;
    $_->send_request('GET', '/two/items?select=id&id=eq.3') for @clients;
    my @answers = map { $_->read_answer } @clients;
    is(scalar(grep { $_->{body} eq '[{"id":3}]' } @answers), 40, 'are all answered');
    cmp_ok(scalar backends('two'), '<=', 2, 'by no more connections than the pool has');
};

subtest 'a query that runs too long' => sub {
    my $begun = time;
    my $answer = $http->get('/two/slow');
    is($answer->{status}, 504, 'is given up');
    like($answer->{body}, qr/"code":"57014"/, 'in the form of an error');
    cmp_ok(time - $begun, '<', 3, 'in time');
    wait_running('two', 0);
    pass('and ended in the server too');
};

subtest 'more shapes of requests than a connection may have prepared' => sub {
    my $failed = 0;
    for my $round (1, 2) {
        for my $n (1 .. 300) {
            my $answer = $http->get("/one/items?select=c$n:id&id=eq.1");
            $failed++ if $answer->{body} ne qq([{"c$n":1}]);
        }
    }
    is($failed, 0, 'are all answered');

    for my $n (1 .. 300) {
        $failed++ if $http->get("/one/items?select=c$n:id&id=like.x")->{status} != 404;
    }
    is($http->get('/one/items?id=eq.1&select=id')->{body}, '[{"id":1}]',
        'and those that cannot be prepared leave nothing behind');
    is($failed, 0, 'but their own error');
};

subtest 'a large answer' => sub {
    my $answer = $http->get('/one/large');
    is($answer->{status}, 200, 'is given');
    is(length $answer->{body}, 20_000_000 + length('[{"text":""}]'), 'whole');

    my $slow = Cqrs::Http->new($nginx->port);
    $slow->send_request('GET', '/one/large');
    wait_until { !running('one') } 10, 'the query has ended';
    $slow->close;
    is($http->get('/one/items?id=eq.1')->{status}, 200,
        'and a client that leaves in the middle of it disturbs nobody');
};

$nginx->stop;
done_testing;


# A request whose query runs.
sub begin {
    my ($path, $pool, $count) = @_;

    my $client = Cqrs::Http->new($nginx->port);
    $client->send_request('GET', $path);
    wait_running($pool, $count);

    return $client;
}

# Requests that nginx works on, beside the one that asks.
sub wait_requests {
    my ($count) = @_;

    wait_until {
        my ($writing) = $http->get('/status')->{body} =~ /Writing: (\d+)/;
        $writing == $count + 1;
    } 5, "$count requests";
}

sub wait_running {
    my ($pool, $count) = @_;

    wait_until { running($pool) == $count } 5, "$count running queries";
}

sub running {
    my ($pool) = @_;

    return $database->value(<<'SQL', $pool);
select count(*) from pg_stat_activity
 where datname = current_database() and application_name = ?
   and state = 'active' and pid <> pg_backend_pid()
SQL
}

sub backends {
    my ($pool) = @_;

    return @{ $database->dbh->selectcol_arrayref(<<'SQL', undef, $pool) };
select pid from pg_stat_activity
 where datname = current_database() and application_name = ?
   and query not like 'listen%' order by pid
SQL
}
