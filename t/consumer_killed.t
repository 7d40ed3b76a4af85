#!/usr/bin/perl

# The daemon ends in the middle of its work, politely or not, and nothing is
# lost or done twice.

use strict;
use warnings;

use JSON ();
use Test::More;
use Time::HiRes qw(sleep);

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant { ACCOUNTS => 20, DEPOSITS => 2000, KILLS => 5, USERS => 4 };

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 4);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my @users    = map { "killed-$$-$_" } 1 .. USERS;

my $commands = Cqrs::Commands->new(database => $database, vhost => $vhost, partitions => 4);

sub start {
    return Cqrs::Consumer->start(
        database => $database, vhost => $vhost, redis => $redis,
        args     => [ '--batch', 8 ],
    );
}

sub done {
    return $database->value('select count(*) from cqrs.inbox where status = $1', 'completed');
}

my $consumer = start();
$commands->ready;
$vhost->declare_queue('watch');
$vhost->bind('watch', 'cqrs.events', '#');

my @ids = map { $commands->send("account-$_", 'open', { owner => 'x' }, user($_)) }
    1 .. ACCOUNTS;
$commands->wait_outcomes(@ids);
is($consumer->stop, 0, 'SIGTERM: the daemon leaves');

for my $n (1 .. DEPOSITS) {
    push @ids, $commands->send('account-' . (1 + $n % ACCOUNTS), 'deposit', { amount => 1 },
        user($n));
}


# Each life is long enough to do some of the work, and not all of it.

for my $kill (1 .. KILLS) {
    my $before = done();

    $consumer = start();
    wait_until { done() > $before } 30, 'some work to be done';
    sleep rand 0.05;
    $consumer->kill;
}

cmp_ok(done(), '<', @ids, 'it was killed in the middle of the work, ' . KILLS . ' times');

# Not politely either: one worker at a time, which the master starts again.

$consumer = start();
for my $name ('partition 0', 'relay', 'manager', 'partition 1') {
    my $pid;
    wait_until { $pid = worker($name) } 10, "the worker \"$name\"";
    CORE::kill('KILL', $pid);
    wait_until { my $new = worker($name); $new && $new != $pid } 10, "\"$name\" to be back";
    ok(1, "a worker that dies is started again: $name");
}

$commands->wait_outcomes(@ids);

is($database->value('select count(*) from cqrs.inbox'), @ids,
    'each command has exactly one outcome');
is(done(), @ids, 'all are completed');

my ($events, $count) = ($database->value('select count(*) from cqrs.events'), scalar @ids);
is($events, $count, 'each took effect once');
is($database->value(<<'EOS'), 0, 'positions are dense');
select count(*)
  from (select position - row_number() over (partition by partition order by position) as gap
          from cqrs.events) e
 where gap <> 0
EOS
is($database->value(<<'EOS'), 0, 'versions are dense');
select count(*)
  from (select version - row_number() over (partition by stream order by position) as gap
          from cqrs.events) e
 where gap <> 0
EOS
my $sum = 0;
$sum += $commands->balance("account-$_") for 1 .. ACCOUNTS;
is($sum, DEPOSITS, 'no money was made or lost');

wait_until {
    my $sequences = 0;
    my %sent = @{ $redis->command('HGETALL', 'cqrs:sent') };
    $sequences += $_ for values %sent;
    $sequences == @ids;
} 20, 'all notifications to be sent';

my %seen;
for my $user (@users) {
    $seen{ $_->{message}{data}{id} }++ for $commands->history($redis, "user:$user");
}
is(scalar(grep { $_ > 1 } values %seen), 0, 'no notification was sent twice');
is(scalar keys %seen, @ids, 'and none is missing');

my %last = map { ($_ => 0) } 0 .. 3;
my (%position, $disorder, $repeated);
wait_until {
    for ($vhost->get('watch', 2000)) {
        my ($partition, $position) = @{ $_->{headers} }{ 'x-partition', 'x-position' };

        if ($position <= $last{$partition}) {
            $repeated++;
        } elsif ($position == $last{$partition} + 1) {
            $last{$partition}++;
        } else {
            $disorder++;
        }
    }
    my $total = 0;
    $total += $_ for values %last;
    $total >= $events || $disorder;
} 30, 'all events to be in RabbitMQ';
ok(!$disorder, 'events are in RabbitMQ in position order, and complete');
note(($repeated // 0) . ' events came more than once');

is($consumer->stop, 0, 'SIGTERM: the daemon leaves');
is($vhost->queue_depth("cqrs.commands.$_"), 0, "queue $_ is empty") for 0 .. 3;
is($vhost->queue_depth('cqrs.dead-letters'), 0, 'nothing is among the dead letters');


# Workers do not outlive their master.

$consumer = start();
wait_until { worker('manager') } 10, 'the workers';
my @workers = workers();
CORE::kill('KILL', $consumer->pid);
wait_until { !grep { kill 0, $_ } @workers } 10, 'the workers to be gone';
ok(1, 'workers end with their master');
$consumer->kill;

done_testing;


sub user {
    my ($n) = @_;

    return (headers => { user => $users[$n % USERS] });
}


sub workers {
    my $master = $consumer->pid;

    return grep { slurp("/proc/$_/stat") =~ /\) \S $master / }
        map { m{/proc/(\d+)} } glob '/proc/[0-9]*';
}


sub worker {
    my ($name) = @_;

    for my $pid (workers()) {
        return $pid if slurp("/proc/$pid/comm") eq "$name\n";
    }

    return undef;
}


# A process may be gone before its file is read.
sub slurp {
    open my $file, '<', $_[0] or return '';

    return join '', <$file>;
}
