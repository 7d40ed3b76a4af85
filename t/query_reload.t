# nginx -s reload under load: no request fails, old workers leave, and their
# connections with them.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Query;
use Cqrs::Wait qw(wait_until);

use constant CLIENTS => 4;
use constant RELOADS => 4;

my $database = Cqrs::Query->database;
my $conninfo = $database->conninfo(Cqrs::Query::USER);

my $nginx = Cqrs::Nginx->new(workers => 2, http => <<"CONFIG");
cqrs_postgres "$conninfo" pool=2;
server {
    listen 127.0.0.1:%PORT%;
    location /api/ { cqrs_query schema=api; }
}
CONFIG
$nginx->start;

my $port = $nginx->port;
my (@pipes, @pids);
pipe(my $end_read, my $end_write) or die "pipe: $!";

for my $n (1 .. CLIENTS) {
    pipe(my $read, my $write) or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        close $end_write;
        close $read;
        load($write, $end_read);
        close $write;
        POSIX::_exit(0);
    }
    close $write;
    push @pipes, $read;
    push @pids, $pid;
}
close $end_read;

# A query that runs when its worker is told to leave.
my $running = Cqrs::Http->new($port);
$running->send_request('GET', '/api/brief');
wait_until { running() } 5, 'the query runs';

for (1 .. RELOADS) {
    $nginx->reload;
}
is($running->read_answer->{status}, 200, 'a query that runs in an old worker is answered');

close $end_write;
my ($good, $bad, @words) = (0, 0);
for my $pipe (@pipes) {
    my ($line) = <$pipe>;
    my ($g, $b, $word) = split ' ', $line, 3;
    $good += $g;
    $bad += $b;
    push @words, $word if $b;
}
waitpid $_, 0 for @pids;

cmp_ok($good, '>', 20, "there was load: $good requests");
is($bad, 0, 'no request failed') or diag(@words);

wait_until { !$nginx->exiting_pids } 5, 'old workers to leave';
pass('old workers have left');
wait_until { backends() <= 6 } 5, 'their connections to close';   # 2 of each pool, and who listens
pass('and their connections with them');

$nginx->stop;
wait_until { backends() == 0 } 5, 'the last connections to close';
pass('as the last ones do when nginx ends');
done_testing;


# Until the other end of the pipe is closed.
sub load {
    my ($write, $end) = @_;

    my ($good, $bad, $word) = (0, 0, '-');
    my $poll = IO::Select->new($end);

    until ($poll->can_read(0)) {
        my $n = 1 + int rand 1000;
        my $answer = eval {
            Cqrs::Http->new($port)->get("/api/numbers?n=eq.$n", { Connection => 'close' });
        };
        if ($answer && $answer->{status} == 200 && $answer->{body} eq qq([{"n":$n}])) {
            $good++;
        } else {
            $bad++;
            $word = $answer ? "$answer->{status} $answer->{body}" : $@;
            $word =~ s/\n/ /g;
        }
    }
    print {$write} "$good $bad $word\n";
}

sub running {
    return $database->value(<<'SQL', Cqrs::Query::USER);
select count(*) from pg_stat_activity
 where datname = current_database() and usename = ? and wait_event = 'PgSleep'
SQL
}

sub backends {
    return $database->value(<<'SQL', Cqrs::Query::USER);
select count(*) from pg_stat_activity where datname = current_database() and usename = ?
SQL
}
