#!/usr/bin/perl

# Two daemons share the partitions: one works, the other takes over when the
# first ends, hangs, or wakes up again too late.

use strict;
use warnings;

use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 2);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $user     = "standby-$$";

my $commands = Cqrs::Commands->new(
    database => $database, vhost => $vhost, partitions => 2, user => $user,
);

my ($first, $second) = (start(), undef);
$commands->ready;
$first->wait_log(qr/relays the events of partition $_/) for 0, 1;
$vhost->declare_queue('watch');
$vhost->bind('watch', 'cqrs.events', '#');

my @ids = map { $commands->send("account-$_", 'open', {}) } 1 .. 4;
$commands->wait_outcomes(@ids);

$second = start();
$second->wait_log(qr/\[info\].*waiting for commands in "cqrs\.commands\.$_"/) for 0, 1;
deposits(40);
unlike($second->log, qr/owns partition|relays the events/, 'the second daemon stands by');
is(owners(), 2, 'while the first owns both partitions');


$first->kill;
deposits(40);
like($second->log, qr/owns partition $_/, "killed: the second takes partition $_") for 0, 1;
$second->wait_log(qr/relays the events of partition $_/) for 0, 1;
ok(1, 'and the relay');


# A daemon that hangs for longer than its connections live, and then wakes up.

$first = start();
$first->wait_log(qr/waiting for commands in "cqrs\.commands\.$_"/) for 0, 1;
kill 'STOP', -$second->pid;
deposits(20);
like($first->log, qr/owns partition/, 'stopped: the first takes over');
$first->wait_log(qr/relays the events of partition $_/, 60) for 0, 1;

my @before = @{ epochs() };
kill 'CONT', -$second->pid;
deposits(20);
$second->wait_log(qr/relay: .*trying again/, 30);
deposits(20);
is_deeply(epochs(), \@before, 'the one that wakes up takes nothing from the new owner');

wait_until {
    my $sent = 0;
    my %sent = @{ $redis->command('HGETALL', 'cqrs:sent') };
    $sent += $_ for values %sent;
    $sent == @ids;
} 20, 'all notifications';
my %seen;
$seen{ $_->{message}{data}{id} }++ for $commands->history($redis, "user:$user");
is_deeply([ sort keys %seen ], [ sort @ids ], 'every command was announced');
is(scalar(grep { $_ > 1 } values %seen), 0, 'once');

my %last = (0 => 0, 1 => 0);
my $disorder = 0;
wait_until {
    for ($vhost->get('watch', 1000)) {
        my ($partition, $position) = @{ $_->{headers} }{ 'x-partition', 'x-position' };

        $disorder++ if $position > $last{$partition} + 1;
        $last{$partition} = $position if $position > $last{$partition};
    }
    $last{0} + $last{1} == @ids;
} 30, 'all events';
is($disorder, 0, 'and every event is in RabbitMQ, in position order');

is($second->stop, 0, 'both leave when they are told to') for 1;
$first->stop;

done_testing;


sub start {
    return Cqrs::Consumer->start(
        database => $database, vhost => $vhost, redis => $redis,
        args     => [ '--log-level', 'info', '--batch', 4 ],
    );
}


sub deposits {
    my ($count) = @_;

    my @more = map {
        $commands->send('account-' . (1 + $_ % 4), 'deposit', { amount => 1 })
    } 1 .. $count;
    $commands->wait_outcomes(@more);
    push @ids, @more;
}


sub owners {
    return $database->value('select count(*) from cqrs.partitions where owner like $1',
        '%' . $first->pid);
}


sub epochs {
    return $database->dbh->selectcol_arrayref(
        'select epoch from cqrs.partitions order by partition');
}
