# A backend is killed: idle ones are noticed, and a running query is run once
# more on a new connection before anybody is told.

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
cqrs_postgres "$conninfo" pool=2;
cqrs_query_channel off;                 # who listens has the catalogue loaded again
server {
    listen 127.0.0.1:%PORT%;
    location /api/ { cqrs_query schema=api; }
}
CONFIG
$nginx->start;
my $http = Cqrs::Http->new($nginx->port);

is($http->get('/api/cheap?id=eq.1&select=id')->{status}, 200, 'at first all is well');

subtest 'an idle connection' => sub {
    wait_until { !grep { $_ ne 'idle' } states() } 5, 'all to be idle';
    my @old = backends();
    ok(@old, 'there is one');

    terminate($_) for @old;
    $nginx->wait_log(qr/connection lost while idle/);
    my %old = map { $_ => 1 } @old;
    wait_until { grep { !$old{$_} } backends() } 5, 'a new connection';
    pass('is opened again without a query');

    is($http->get('/api/cheap?id=eq.1&select=id')->{body}, '[{"id":1}]',
        'the next query is answered');
};

subtest 'a running query' => sub {
    $http->send_request('GET', '/api/brief');
    my ($first) = running();
    terminate($first);
    my ($second) = running($first);
    isnt($second, $first, 'runs again on another connection');
    my $answer = $http->read_answer;
    is($answer->{status}, 200, 'and is answered');
    is($answer->{body}, '[{"slept":true}]', 'with its rows');
};

subtest 'a query whose connection breaks twice' => sub {
    $http->send_request('GET', '/api/slow');
    my ($first) = running();
    terminate($first);
    my ($second) = running($first);
    terminate($second);
    my $answer = $http->read_answer;
    is($answer->{status}, 503, 'is answered 503');
    like($answer->{body}, qr/"code":"PGRST001"/, 'in the form of an error');
    is($answer->{headers}{'retry-after'}, 1, 'with Retry-After');
};

subtest 'a query that is cancelled by the administrator' => sub {
    $http->send_request('GET', '/api/slow');
    my ($pid) = running();
    $database->value('select pg_cancel_backend(?)', $pid);
    my $answer = $http->read_answer;
    is($answer->{status}, 500, 'is not run again');
    like($answer->{body}, qr/"code":"57014"/, 'Postgres says why');
};

subtest 'all connections, over and over' => sub {
    my $failed = 0;
    for (1 .. 50) {
        terminate($_) for backends();
        $failed++ if $http->get('/api/cheap?id=eq.1')->{status} != 200;
    }
    is($failed, 0, 'cost no request its answer');
};

subtest 'connections that several queries share' => sub {
    my @clients = map { Cqrs::Http->new($nginx->port) } 1 .. 40;
    my $wrong = 0;
    for (1 .. 20) {
        $_->send_request('GET', '/api/cheap?id=eq.1&select=id') for @clients;
        terminate($_) for backends();
        $wrong += grep { $_->read_answer->{body} ne '[{"id":1}]' } @clients;
    }
    is($wrong, 0, 'cost none of them its answer, whichever ran');
};

subtest 'a slow query with others behind it' => sub {
    my @clients = map { Cqrs::Http->new($nginx->port) } 1 .. 20;
    $_->send_request('GET', '/api/cheap?id=eq.1&select=id') for @clients;
    $_->read_answer for @clients;              # what was killed before is noticed now

    $http->send_request('GET', '/api/brief?select=killed:slept');
    $_->send_request('GET', '/api/cheap?id=eq.1&select=id') for @clients;
    my ($first) = running();
    terminate($first);
    is($http->read_answer->{body}, '[{"killed":true}]', 'is answered');
    is(scalar(grep { $_->read_answer->{body} eq '[{"id":1}]' } @clients), 20, 'and so are they');
};

$nginx->stop;
done_testing;


sub backends {
    return @{ $database->dbh->selectcol_arrayref(<<'SQL', undef, Cqrs::Query::USER) };
select pid from pg_stat_activity
 where datname = current_database() and usename = ? order by pid
SQL
}

sub states {
    return @{ $database->dbh->selectcol_arrayref(<<'SQL', undef, Cqrs::Query::USER) };
select state from pg_stat_activity where datname = current_database() and usename = ?
SQL
}

# The one that runs a query and is not that one.
sub running {
    my ($not) = @_;

    my @pids;
    wait_until {
        @pids = @{ $database->dbh->selectcol_arrayref(<<'SQL', undef, Cqrs::Query::USER, $not // 0) };
select pid from pg_stat_activity
 where datname = current_database() and usename = ? and pid <> ?
   and state = 'active' and wait_event = 'PgSleep'
SQL
        @pids == 1;
    } 5, 'a running query';

    return @pids;
}

sub terminate {
    my ($pid) = @_;

    $database->value('select pg_terminate_backend(?)', $pid);
}
