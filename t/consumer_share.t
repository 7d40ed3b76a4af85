#!/usr/bin/perl

# Daemons share the partitions: each works its part, while commands flow, and
# what one leaves the others take up.

use strict;
use warnings;

use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant { PARTITIONS => 4, ACCOUNTS => 12 };

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => PARTITIONS);
my $vhost    = $services->vhost;
my $redis    = $services->redis;

my $commands = Cqrs::Commands->new(
    database => $database, vhost => $vhost, partitions => PARTITIONS,
);

my %daemon = (a => start('a'));
$commands->ready;
$vhost->declare_queue('watch');
$vhost->bind('watch', 'cqrs.events', '#');

my @ids = map { $commands->send("account-$_", 'open', {}, user($_)) } 1 .. ACCOUNTS;
my %sent;

flow_until('aaaa');
ok(1, 'one daemon works all partitions');

$daemon{b} = start('b');
flow_until('abab');
ok(1, 'a second one gets half of them');

$daemon{c} = start('c');
flow_until('abca');
ok(1, 'and a third its share');

kept();
is(scalar(@{ attendance() }), 3 * PARTITIONS, 'all are on record at each partition');

$daemon{c}->kill;
flow_until('abab');
ok(1, 'killed: the others share what it had');
is_deeply([ grep { /^c/ } @{ attendance() } ], [], 'it is forgotten');

is($daemon{b}->stop, 0, 'told to leave: one leaves');
is_deeply([ grep { /^b/ } @{ attendance() } ], [], 'and strikes itself off the record');
flow_until('aaaa');
ok(1, 'the last one works all partitions');

$daemon{b} = start('b');
flow_until('abab');
ok(1, 'one that comes back gets its share again');
kept();

# A worker that dies is missed by its master alone.

my ($line) = $daemon{b}->log =~ /started partition 1, (\d+)/;
kill 'KILL', $line;
flow_until('aba?');
$daemon{b}->wait_log(qr/partition 1 was ended by signal 9, starting it again/);
flow_until('abab');
ok(1, 'and so does a worker that died and was started again');


# What all that must not have done.

$commands->wait_outcomes(@ids);

is($database->value('select count(*) from cqrs.inbox where status = $1', 'completed'),
    scalar @ids, 'each command is completed');
is($database->value('select count(*) from cqrs.events'), scalar @ids, 'once');
is($database->value(<<'EOS'), 0, 'positions are dense');
select count(*)
  from (select position - row_number() over (partition by partition order by position) as gap
          from cqrs.events) e
 where gap <> 0
EOS
is($database->value(<<'EOS'), 0, 'and each stream has its commands in the order they were sent');
select count(*)
  from (select (data->>'amount')::numeric - row_number() over (partition by stream order by version) as gap
          from cqrs.events where type = 'deposited') e
 where gap <> 0
EOS

wait_until {
    my $sent = 0;
    my %redis = @{ $redis->command('HGETALL', 'cqrs:sent') };
    $sent += $_ for values %redis;
    $sent == @ids;
} 20, 'all notifications';
my %seen;
for (1 .. ACCOUNTS) {
    $seen{ $_->{message}{data}{id} }++
        for $commands->history($redis, "user:share-$$-$_");
}
is_deeply([ sort keys %seen ], [ sort @ids ], 'every command was announced');
is(scalar(grep { $_ > 1 } values %seen), 0, 'once');

my %last = map { ($_ => 0) } 0 .. PARTITIONS - 1;
my $disorder = 0;
wait_until {
    for ($vhost->get('watch', 1000)) {
        my ($partition, $position) = @{ $_->{headers} }{ 'x-partition', 'x-position' };

        $disorder++ if $position > $last{$partition} + 1;
        $last{$partition} = $position if $position > $last{$partition};
    }
    my $total = 0;
    $total += $_ for values %last;
    $total == @ids;
} 30, 'all events';
is($disorder, 0, 'and every event is in RabbitMQ, in position order');
is($vhost->queue_depth('cqrs.dead-letters'), 0, 'nothing is among the dead letters');

is($daemon{$_}->stop, 0, "$_ leaves") for qw(a b);
is_deeply(attendance(), [], 'and nobody is on record any more');

done_testing;


sub start {
    my ($name) = @_;

    return Cqrs::Consumer->start(
        database => $database, vhost => $vhost, redis => $redis,
        args     => [ '--log-level', 'info', '--batch', 4, '--name', $name ],
    );
}


# A deposit to each account; the amounts of an account are 1, 2, 3...
sub flow {
    push @ids, map {
        $commands->send("account-$_", 'deposit', { amount => ++$sent{$_} }, user($_))
    } 1 .. ACCOUNTS;
}


# Each account is of a user of its own, for histories are short.
sub user {
    my ($n) = @_;

    return (headers => { user => "share-$$-$n" });
}


# Which daemon works partition 0, 1, 2, 3; "?" is any.
sub flow_until {
    my ($wanted) = @_;

    (my $pattern = $wanted) =~ s/\?/./g;

    wait_until {
        flow();
        $commands->wait_outcomes(@ids);
        owners() =~ /\A$pattern\z/;
    } 60, "the partitions to be worked by $wanted, not " . owners();
}


# Shares that are as they should be stay as they are.
sub kept {
    my $epochs = sub { $database->value('select sum(epoch) from cqrs.partitions') };
    my $seen = sub { $database->value('select min(seen_at) from cqrs.attendance') };
    my ($before, $rounds, $last) = ($epochs->(), 0, '');

    wait_until {
        flow();
        $commands->wait_outcomes(@ids);
        my $now = $seen->();
        $rounds++ if $now ne $last;
        $last = $now;
        $rounds > 12;
    } 60, 'some rounds';
    is($epochs->(), $before, 'and stays with it');
}


sub owners {
    return $database->value(q{select string_agg(right(owner, 1), '' order by partition)
        from cqrs.partitions}) // '';
}


sub attendance {
    return $database->dbh->selectcol_arrayref(
        q{select daemon || partition from cqrs.attendance order by 1});
}
