#!/usr/bin/perl

# Postgres, RabbitMQ and Redis go away and come back under the daemon, which
# waits, goes on where it was, and is never restarted.

use strict;
use warnings;

use JSON ();
use Test::More;
use Time::HiRes qw(time);

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->private;
my $database = $services->database(bank => 1, partitions => 2);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $user     = 'alice';
my $channel  = "user:$user";

my $commands = Cqrs::Commands->new(
    database => $database, vhost => $vhost, partitions => 2, user => $user,
);


$services->stop('postgres', 'rabbitmq', 'redis');

my $consumer = Cqrs::Consumer->start(
    database => $database, vhost => $vhost, redis => $redis,
    args     => [ '--log-level', 'info' ],
);
my $pid = $consumer->pid;

$consumer->wait_log(qr/postgres: .*trying again/);
$services->start('postgres');
$consumer->wait_log(qr/rabbitmq: .*trying again/, 30);
$services->start('rabbitmq');
$commands->ready;
ok(1, 'the daemon waits for servers that are not there yet');

$vhost->declare_queue('watch');
$vhost->bind('watch', 'cqrs.events', '#');

my @ids = map { $commands->send("account-$_", 'open', { owner => $user }) } 1 .. 4;
$commands->wait_outcomes(@ids);
ok(1, 'commands are executed without Redis');

$consumer->wait_log(qr/redis is away/);
$services->start('redis');
told(@ids);
ok(1, 'and announced when it comes, though nothing else happens');


# Redis keeps nothing here, so it has forgotten what it was sent.

$services->stop('redis');
my @later = deposits(8);
$commands->wait_outcomes(@later);
$services->start('redis');
told(@later);
ok(1, 'a Redis that forgot gets what it has not been sent, and only that');

$services->stop('redis');
my @more = deposits(8);
$commands->wait_outcomes(@more);
restart();
$services->start('redis');
told(@more);
ok(1, 'also from a daemon that was started in the meantime');


# Redis that is there and does not answer.

$services->pause('redis');
my $begin = time;
@more = deposits(30);
$commands->wait_outcomes(@more);
cmp_ok(time - $begin, '<', 10, 'a Redis that hangs does not hold commands up');
$services->resume('redis');
told_again(@later = @more);
ok(1, 'and gets each notification once when it goes on');


# Redis that answers, and takes nothing.

my $complaints = () = $consumer->log =~ /redis is away/g;
$redis->command('CONFIG', 'SET', 'maxmemory', 1);
@more = deposits(20);
$commands->wait_outcomes(@more);
$consumer->wait_log(qr/redis is away: "[^"]*OOM/);
$redis->command('CONFIG', 'SET', 'maxmemory', 0);
told_again(@more);
ok(1, 'a Redis that is full gets each notification once when it has room');
my $lines = () = $consumer->log =~ /redis is away/g;
cmp_ok($lines - $complaints, '<=', 4, 'the log says so once for each partition and time');


# Redis that remembers another store.

$consumer->stop;
$redis->command('HSET', 'cqrs:sent', $_, 1_000_000) for 0, 1;
restart();
@more = deposits(8);
$commands->wait_outcomes(@more);
told_again(@more);
ok(1, 'a Redis that remembers more than the store has is set right');
like($consumer->log, qr/\[warn\].*redis remembers notification 1000000/, 'with a warning');


# Postgres.

for my $how ('stop', 'kill') {
    $services->$how('postgres');
    @more = deposits(8);
    $consumer->wait_log(qr/partition \d: postgres: .*trying again/);
    $services->start('postgres');
    $commands->wait_outcomes(@more);
    is(grep({ $commands->status($_) ne 'completed' } @more), 0,
        "$how postgres: commands wait for it, and none is parked");
}

$services->pause('postgres');
@more = deposits(4);
select undef, undef, undef, 2;             # a daemon that gives up would do so by now
$services->resume('postgres');
$commands->wait_outcomes(@more);
ok(1, 'Postgres that hangs for a while is waited for');


# RabbitMQ.

for my $how ('stop', 'kill') {
    my @before = deposits(40);
    $services->$how('rabbitmq');
    $consumer->wait_log(qr/relay: rabbitmq: .*trying again/, 30);
    $services->start('rabbitmq');
    @more = deposits(8);
    $commands->wait_outcomes(@before, @more);
    ok(1, "$how rabbitmq: what it has is executed when it is back");
}

wait_until { $vhost->connections >= 4 } 20, 'the management plugin to know the connections';
cmp_ok($vhost->close_connections('tested'), '>=', 4, 'connections are closed by an operator');
@more = deposits(8);
$commands->wait_outcomes(@more);
ok(1, 'and opened again');


my $count = $database->value('select count(*) from cqrs.events');
my %last = (0 => 0, 1 => 0);
my $disorder = 0;
wait_until {
    for ($vhost->get('watch', 1000)) {
        my ($partition, $position) = @{ $_->{headers} }{ 'x-partition', 'x-position' };

        $disorder++ if $position > $last{$partition} + 1;
        $last{$partition} = $position if $position > $last{$partition};
    }
    $last{0} + $last{1} == $count;
} 30, 'all events';
is($disorder, 0, 'after all this every event is in RabbitMQ, in position order');

is($database->value('select count(*) from cqrs.parked'), 0, 'no command was parked');
is($consumer->pid, $pid, 'the daemon is the one that was started last');
is($consumer->stop, 0, 'and leaves when it is told to');

done_testing;


sub deposits {
    my ($count) = @_;

    return map { $commands->send('account-' . (1 + $_ % 4), 'deposit', { amount => 1 }) }
        1 .. $count;
}


sub restart {
    $consumer->stop;
    $consumer = Cqrs::Consumer->start(
        database => $database, vhost => $vhost, redis => $redis,
        args     => [ '--log-level', 'info' ],
    );
    $pid = $consumer->pid;
}


# The history is just this.
sub told {
    my (@expected) = @_;

    wait_until { eval { $commands->history($redis, $channel) >= @expected } }
        25, 'notifications';
    same([ $commands->history($redis, $channel) ], \@expected);
}


# The history ends like this.
sub told_again {
    my (@expected) = @_;

    my @history;
    wait_until {
        @history = eval { $commands->history($redis, $channel) };
        my %there = map { ($_->{message}{data}{id} => 1) } @history;
        !grep { !$there{$_} } @expected;
    } 25, 'notifications';
    same([ @history[ -@expected .. -1 ] ], \@expected);
}


# Each once, and those of a partition in order.
sub same {
    my ($history, $expected) = @_;

    my %partition = map {
        ($_->{message}{data}{id} => $commands->partition($_->{message}{data}{stream}))
    } @$history;
    my (@got, @wanted);
    push @{ $got[ $partition{ $_->{message}{data}{id} } ] }, $_->{message}{data}{id}
        for @$history;
    push @{ $wanted[ $partition{$_} // 0 ] }, $_ for @$expected;

    is_deeply(\@got, \@wanted, 'notifications are complete, in order, none twice');
}
