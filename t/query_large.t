# Answers that are larger than what a worker should hold, and clients that are
# slow to take them.

use strict;
use warnings;

use Test::More;

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Query;
use Cqrs::Wait qw(wait_until);

use constant { ROWS => 200_000, BYTES => 200_000_000, MAY_GROW => 24_000_000 };

my $database = Cqrs::Query->database;
my $conninfo = $database->conninfo(Cqrs::Query::USER);
my $dbh = $database->dbh;

$dbh->do(sprintf <<'SQL', ROWS);
create view api.many as
select n, repeat('x', 1000) as text, n %% 2 = 0 as even
  from generate_series(1, %d) n
SQL
$dbh->do('grant select on api.many to ' . Cqrs::Query::USER);

my $nginx = Cqrs::Nginx->new(http => <<"CONFIG");
cqrs_postgres "$conninfo application_name=large" pool=1;
server {
    listen 127.0.0.1:%PORT%;

    location /api/ { cqrs_query schema=api; }
    location /tiny/ { cqrs_query schema=api; cqrs_query_buffer 4k; }
}
CONFIG
$nginx->start;
my $http = Cqrs::Http->new($nginx->port, timeout => 60);

is($http->get('/api/items?id=eq.1')->{status}, 200, 'at first all is well');
my ($worker) = $nginx->worker_pids;
my $before = memory();

subtest '200 MB for a client that does not read' => sub {
    my $slow = Cqrs::Http->new($nginx->port, timeout => 60);
    $slow->send_request('GET', '/api/many');

    my $grown = 0;
    wait_until(sub {
        $grown = memory() - $before if $grown < memory() - $before;
        return $slow->{socket} && readable($slow->{socket});
    }, 60, 'the begin of the answer');

  SKIP: {
        skip 'AddressSanitizer keeps what is freed', 1 if Cqrs::Paths::build() =~ m{/asan$};
        cmp_ok($grown, '<', MAY_GROW, 'costs the worker little memory');
    }
    is($http->get('/api/items?id=eq.1')->{status}, 200,
        'and the connection to Postgres is free for others');

    my $answer = take($slow);
    is($answer->{status}, 200, 'it may come back to it');
    is($answer->{range}, sprintf('0-%d/*', ROWS - 1), 'is told how many rows there are');
    cmp_ok($answer->{bytes}, '>', BYTES, 'and gets all of them');
    is($answer->{rows}, ROWS, 'each one, in their order');

    my $again = $http->get('/api/many', { 'If-None-Match' => $answer->{etag} });
    is($again->{status}, 304, 'and not once more, if it has them');
};

subtest 'a client that leaves in the middle' => sub {
    my $left = Cqrs::Http->new($nginx->port, timeout => 60);
    $left->send_request('GET', '/api/many');
    wait_until(sub {
        $dbh->selectrow_array(q{select 1 from pg_stat_activity
            where application_name = 'large' and state = 'active' and query like '%many%'});
    }, 20, 'the rows to come');
    $left->close;

    is($http->get('/api/items?id=eq.1')->{status}, 200, 'leaves its place to the next');
};

subtest 'a connection that breaks in the middle' => sub {
    my $client = Cqrs::Http->new($nginx->port, timeout => 60);
    $client->send_request('GET', '/api/many?n=lte.100000');

    my $killed;
    wait_until(sub {
        $killed = $dbh->selectrow_array(q{select pg_terminate_backend(pid)
            from pg_stat_activity
            where application_name = 'large' and state = 'active' and query like '%many%'});
    }, 20, 'the rows to come');

    is(take($client)->{rows}, 100_000, 'gives all rows, by another one, and none of them twice');
};

subtest 'a small buffer' => sub {
    my $whole = $http->get('/api/many?n=lte.3000')->{body};
    is($http->get('/tiny/many?n=lte.3000')->{body}, $whole, 'changes nothing of the answer');
    is($http->get('/tiny/items?id=eq.1')->{body}, $http->get('/api/items?id=eq.1')->{body},
        'nor of one that fits');
    is($http->get('/api/many?n=gt.900000')->{body}, '[]', 'and no row is an empty array');
};

is_deeply([ $nginx->worker_pids ], [$worker], 'no worker has died over it');
$nginx->stop;
done_testing;


# What is the worker's own, in bytes.
sub memory {
    open my $status, '<', "/proc/$worker/status" or die "the worker is gone\n";
    my ($kilobytes) = join('', <$status>) =~ /^RssAnon:\s+(\d+) kB/m;

    return $kilobytes * 1024;
}

# Reads an answer without keeping it, and how many rows are as they should be.
sub take {
    my ($client) = @_;

    my ($text, $length) = ('', undef);
    my %answer = (rows => 0, bytes => 0);

    while (!defined $length || $answer{bytes} < $length) {
        my $got = sysread $client->{socket}, $text, 1 << 20, length $text
            or die "the answer is cut\n";
        $answer{bytes} += $got;

        if (!defined $length) {
            $text =~ s/^(.*?)\r\n\r\n//s or next;
            my $head = $1;
            ($answer{status}) = $head =~ m{^HTTP/1\.1 (\d+)};
            ($answer{range})  = $head =~ /^Content-Range: (.*?)\r?$/m;
            ($answer{etag})   = $head =~ /^ETag: (.*?)\r?$/m;
            ($length)         = $head =~ /^Content-Length: (\d+)/m;
            $answer{bytes}    = length $text;
        }

        my $rows = substr $text, 0, 1 + rindex($text, '}'), '';
        $answer{rows} += $1 == $answer{rows} + 1 while $rows =~ /\{"n":(\d+),/g;
    }

    return \%answer;
}

sub readable {
    my ($socket) = @_;

    my $bits = '';
    vec($bits, fileno $socket, 1) = 1;

    return select $bits, undef, undef, 0;
}
