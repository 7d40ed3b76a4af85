#!/usr/bin/perl

# The daemon that works a partition ends, hangs, or wakes up too late: another
# one takes over, and the old one can do no harm.

use strict;
use warnings;

use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant { ACCOUNTS => 4, LOCK => 4711 };

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 1);
my $vhost    = $services->vhost;
my $redis    = $services->redis;

my $commands = Cqrs::Commands->new(database => $database, vhost => $vhost, partitions => 1);

# A deposit of 1000 and more is decided when the test lets it.
$database->dbh->do($_) for <<"EOS", <<'EOS';
create function bank.decide_when_told(state jsonb, command cqrs.command) returns cqrs.decision
    language plpgsql
as \$\$
begin
    if (command.data->>'amount')::numeric >= 1000 then
        perform pg_catalog.pg_advisory_xact_lock_shared(${\LOCK});
    end if;

    return bank.decide(state, command);
end \$\$
EOS
select cqrs.register('account', decide => 'bank.decide_when_told', evolve => 'bank.evolve')
EOS

# The only partition is the share of "a", the first by name.
my %daemon = (a => start('a'));
$commands->ready;
$daemon{a}->wait_log(qr/relays the events of partition 0/);
$vhost->declare_queue('watch');
$vhost->bind('watch', 'cqrs.events', '#');

my @ids = map { $commands->send("account-$_", 'open', {}, user($_)) } 1 .. ACCOUNTS;
my $sum = 0;
$commands->wait_outcomes(@ids);

$daemon{b} = start('b');
$daemon{b}->wait_log(qr/\[info\].*waiting for commands in "cqrs\.commands\.0"/);
deposits(40);
unlike($daemon{b}->log, qr/owns partition|relays the events/, 'the second daemon stands by');
is(owner(), 'a', 'while the first owns the partition');


$daemon{a}->kill;
deposits(40);
is(owner(), 'b', 'killed: the second takes the partition');
$daemon{b}->wait_log(qr/relays the events of partition 0/);
ok(1, 'and the relay');


# A daemon that hangs for longer than its connections live, and then wakes up.

signal('STOP', 'b');
$daemon{a} = start('a');
deposits(20);
is(owner(), 'a', 'stopped while it waits: the other takes over');
$daemon{a}->wait_log(qr/relays the events of partition 0/, 60);
ok(1, 'and the relay');

my $epoch = epoch();
signal('CONT', 'b');
deposits(20);
$daemon{b}->wait_log(qr/relay: .*trying again/, 30);
stands_by('b');
deposits(20);
is(epoch(), $epoch, 'woken up, it takes nothing from the new owner');


# It hangs while its batch is executed.

$daemon{a}->kill;
deposits(4);
is(owner(), 'b', 'the other is the owner again');

hold();
my $slow = deposit(1, 1000);
wait_until { waits('%cqrs.execute%', 'advisory') } 20, 'the batch to be under way';
my @next = map { deposit($_, 1) } 1 .. ACCOUNTS;
signal('STOP', 'b');

$daemon{a} = start('a');
wait_until { waits('%cqrs.claim_partition%', 'transactionid') || waits('%cqrs.claim_partition%', 'tuple') }
    60, 'the other to claim the partition';
ok(1, 'stopped in the middle of a batch: the other waits for the end of it');
release();
$commands->wait_outcomes(@ids);
is(owner(), 'a', 'and takes over');

$epoch = epoch();
signal('CONT', 'b');
stands_by('b');
deposits(20);
is(epoch(), $epoch, 'woken up, it takes nothing from the new owner');
is($database->value(q{select count(*) from cqrs.events where data->>'amount' = '1000'}), 1,
    'the batch it had in hand took effect once');


# It hangs before it sends its batch, which it sends when it wakes up.

$_->kill for @daemon{qw(a b)};
$daemon{b} = start('b');
$daemon{b}->wait_log(qr/\[info\].*waiting for commands in "cqrs\.commands\.0"/);

my $dbh = $database->connect;
$dbh->begin_work;
$dbh->do('select from cqrs.partitions for update');
my @late = map { deposit($_, 1) } 1 .. ACCOUNTS;
wait_until { waits('%cqrs.claim_partition%', 'transactionid') } 20, 'it to claim the partition';
signal('STOP', 'b');
$dbh->rollback;

wait_until { owner() eq 'b' && epoch() > $epoch } 20, 'the claim to be answered';
$daemon{a} = start('a');
$commands->wait_outcomes(@ids);
is(owner(), 'a', 'stopped before it has sent its batch: the other takes over');

my $events = $database->value('select count(*) from cqrs.events');
signal('CONT', 'b');
$daemon{b}->wait_log(qr/postgres: the partition has another owner/, 20);
ok(1, 'woken up, it sends the batch and is refused');
is($database->value('select count(*) from cqrs.events'), $events, 'nothing is appended');
stands_by('b');
deposits(20);


# What all that must not have done.

is($database->value('select count(*) from cqrs.inbox where status = $1', 'completed'),
    scalar @ids, 'each command is completed');
is($database->value('select count(*) from cqrs.events'), scalar @ids, 'once');
my $balance = 0;
$balance += $commands->balance("account-$_") for 1 .. ACCOUNTS;
is($balance, $sum, 'no money was made or lost');

wait_until { ($redis->command('HGET', 'cqrs:sent', 0) // 0) == @ids } 20, 'all notifications';
my %seen;
for (1 .. ACCOUNTS) {
    $seen{ $_->{message}{data}{id} }++ for $commands->history($redis, "user:standby-$$-$_");
}
is_deeply([ sort keys %seen ], [ sort @ids ], 'every command was announced');
is(scalar(grep { $_ > 1 } values %seen), 0, 'once');

my ($last, $disorder) = (0, 0);
wait_until {
    for ($vhost->get('watch', 1000)) {
        my $position = $_->{headers}{'x-position'};

        $disorder++ if $position > $last + 1;
        $last = $position if $position > $last;
    }
    $last == @ids;
} 30, 'all events';
is($disorder, 0, 'and every event is in RabbitMQ, in position order');

is($daemon{$_}->stop, 0, "$_ leaves when it is told to") for qw(a b);

done_testing;


sub start {
    my ($name) = @_;

    return Cqrs::Consumer->start(
        database => $database, vhost => $vhost, redis => $redis,
        args     => [ '--log-level', 'info', '--batch', 4, '--name', $name ],
    );
}


sub signal {
    my ($signal, $name) = @_;

    kill $signal, -$daemon{$name}->pid;
}


sub user {
    my ($n) = @_;

    return (headers => { user => "standby-$$-$n" });
}


sub deposit {
    my ($n, $amount) = @_;

    $sum += $amount;
    push @ids, $commands->send("account-$n", 'deposit', { amount => $amount }, user($n));

    return $ids[-1];
}


sub deposits {
    my ($count) = @_;

    deposit(1 + $_ % ACCOUNTS, 1) for 1 .. $count;
    $commands->wait_outcomes(@ids);
}


# The daemon stands in line at the queue, and is seen there.
sub stands_by {
    my ($name) = @_;

    wait_until {
        $database->value(q{select count(*) from cqrs.attendance
            where daemon = $1 and state = 'waits' and seen_at > now() - interval '3 s'}, $name)
    } 60, "$name to stand by";
    ok(1, 'and stands by');
}


sub owner {
    return $database->value('select right(owner, 1) from cqrs.partitions');
}


sub epoch {
    return $database->value('select epoch from cqrs.partitions');
}


sub hold    { $database->dbh->do('select pg_advisory_lock(' . LOCK . ')') }
sub release { $database->dbh->do('select pg_advisory_unlock(' . LOCK . ')') }


# Some statement waits for a lock of this kind.
sub waits {
    my ($statement, $kind) = @_;

    return $database->value(q{select count(*) from pg_stat_activity
        where query like $1 and wait_event_type = 'Lock' and wait_event = $2
          and pid <> pg_backend_pid() and datname = current_database()}, $statement, $kind);
}
