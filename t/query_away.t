# Postgres goes away and comes back: each request is answered in time, other
# locations go on, and nothing needs a restart.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Query;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->private(only => ['postgres']);
my $database = Cqrs::Query->database($services);
my $conninfo = $database->conninfo(Cqrs::Query::USER);
my $row = '/items?id=eq.1&select=id';

my $nginx = Cqrs::Nginx->new(http => <<"CONFIG");
server {
    listen 127.0.0.1:%PORT%;
    cqrs_postgres "$conninfo" pool=2 query_timeout=1s;
    cqrs_query_channel off;             # a catalogue that comes back is no query of ours

    location /api/     { cqrs_query schema=api; }
    location = /ok     { return 200 ok; }
    location /patient/ {
        cqrs_postgres "$conninfo" pool=1 timeout=20s;
        cqrs_query schema=api;
    }
}
CONFIG
$nginx->start;
my @workers = $nginx->worker_pids;

my $http = Cqrs::Http->new($nginx->port);
is($http->get("/api$row")->{body}, '[{"id":1}]', 'at first all is well');
is($http->get("/patient$row")->{status}, 200, 'in both pools');

subtest 'while it is stopped' => sub {
    $services->stop('postgres');

    for my $n (1 .. 3) {
        my $begun = time;
        my $answer = $http->get("/api$row");
        is($answer->{status}, 503, "request $n is answered 503");
        cmp_ok(time - $begun, '<', 2, 'within 2 s');
        like($answer->{body}, qr/"code":"PGRST000"/, 'in the form of an error');
        is($answer->{headers}{'retry-after'}, 1, 'with Retry-After');
    }

    my $waiting = Cqrs::Http->new($nginx->port);
    $waiting->send_request('GET', "/api$row");
    my $begun = time;
    is($http->get('/ok')->{body}, 'ok', 'other locations answer');
    cmp_ok(time - $begun, '<', 0.5, 'at once');
    is($waiting->read_answer->{status}, 503, 'while a query waits');
};

subtest 'when it is back' => sub {
    my $waiting = Cqrs::Http->new($nginx->port);
    $waiting->send_request('GET', "/patient$row");

    $services->start('postgres');

    is($waiting->read_answer->{status}, 200, 'a query that waited meanwhile is answered');
    wait_until { $http->get("/api$row")->{status} == 200 } 5, 'answers again';
    pass('the others too');
    is_deeply([ $nginx->worker_pids ], \@workers, 'by the same worker');
};

subtest 'when it crashed' => sub {
    my ($pid) = $database->value("select pg_read_file('postmaster.pid')") =~ /^(\d+)/;
    $services->kill('postgres');
    wait_until { !-e "/proc/$pid" } 20, 'its process to be reaped';
    $services->start('postgres');
    is($http->get("/patient$row")->{status}, 200, 'the first query afterwards is answered');
    wait_until { $http->get("/api$row")->{status} == 200 } 5, 'answers again';
};

subtest 'when it hangs' => sub {
    $services->pause('postgres');
    my $begun = time;
    my $answer = $http->get("/api$row");
    is($answer->{status}, 504, 'a running query is given up');
    like($answer->{body}, qr/"code":"57014"/, 'and said to have run too long');
    cmp_ok(time - $begun, '<', 2, 'after its time');
    $services->resume('postgres');
    wait_until { $http->get("/api$row")->{status} == 200 } 10, 'answers again';
    pass('and goes on afterwards');
};

subtest 'when a worker starts without it' => sub {
    $services->stop('postgres');
    $nginx->reload;
    my $left = Cqrs::Http->new($nginx->port);
    $left->send_request('GET', "/api$row");
    $left->close;
    is($http->get("/api$row")->{status}, 503, 'a request is answered 503');
    $nginx->wait_log(qr/client prematurely closed connection/);
    pass('one that leaves before is forgotten');
    $services->start('postgres');
    wait_until { $http->get("/api$row")->{status} == 200 } 5, 'answers again';
    pass('and the next ones by rows');
};

$nginx->stop;

my @failed = grep { /connecting failed/ } split /\n/, $nginx->log;
ok((grep { /\[error\]/ } @failed), 'an outage is in the log');
unlike($nginx->log, qr/password/i, 'and no password');

done_testing;
