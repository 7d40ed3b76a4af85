#!/usr/bin/perl

# Handlers that misbehave: a crash costs one worker, not the daemon, and in the
# end the command that caused it, not those around it.

use strict;
use warnings;

use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Paths;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $odd  = Cqrs::Paths::build() . '/t/handlers/odd.so';
my $bank = Cqrs::Paths::build() . '/handlers/bank.so';

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 2);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $user     = "faults-$$";

my $commands = Cqrs::Commands->new(
    database => $database, vhost => $vhost, partitions => 2, user => $user,
);

# Streams by partition.
my @streams = ([], []);
for my $n (1 .. 100) {
    push @{ $streams[ $commands->partition("counter-$n") ] }, "counter-$n";
}

sub start {
    my @args = @_;

    return Cqrs::Consumer->start(
        database => $database, vhost => $vhost, redis => $redis, args => \@args,
    );
}

sub sum {
    my ($stream) = @_;

    return $database->value(q{select state->>'sum' from cqrs.streams where stream = $1}, $stream) // 0;
}

sub version {
    my ($stream) = @_;

    return $database->value('select version from cqrs.streams where stream = $1', $stream) // 0;
}

sub told {
    my ($id) = @_;

    return join ': ', $database->dbh->selectrow_array(
        'select status, code, message from cqrs.inbox where id = $1', undef, $id);
}


# Who decides must be agreed upon.

$database->value(q{select cqrs.register('counter')});
my $consumer = start();
is($consumer->wait >> 8, 1, 'a daemon without the handler of a category does not start');
like($consumer->log, qr/cannot work: category counter is decided by a handler in C: start the daemon with --handler$/m,
    '... and says why');

$consumer = start('--handler', $odd, '--handler', $bank);
is($consumer->wait >> 8, 1, 'nor does one with a handler for what SQL decides');
like($consumer->log, qr/cannot work: category account is decided in SQL: the daemon must not have a handler for it$/m,
    '... which it says');

$database->value(q{select cqrs.unregister('counter')});
$consumer = start();
$commands->ready;
$database->value(q{select cqrs.register('counter')});
my $early = $commands->send($streams[0][0], 'add', { n => 1 });
is($consumer->wait >> 8, 1, 'a daemon that runs already stops at the first command that it can\'t decide');
like($consumer->log, qr/category counter is decided by a handler in C: start the daemon with --handler/, '... and says why');
is($commands->status($early), undef, 'instead of rejecting it');

$consumer = start('--handler', $odd, '--handler-timeout', 1);
$commands->wait_outcomes($early);
is(sum($streams[0][0]), 1, 'with the handler it takes effect');

$database->value(q{select cqrs.register('counter', 'toy.decide', 'toy.evolve')})
    if $database->dbh->do('create schema toy')
    && $database->dbh->do('create function toy.decide(jsonb, cqrs.command) returns cqrs.decision language sql return null::cqrs.decision')
    && $database->dbh->do('create function toy.evolve(jsonb, cqrs.new_event) returns jsonb language sql return $1');
$early = $commands->send($streams[0][0], 'add', { n => 1 });
is($consumer->wait >> 8, 1, 'a daemon stops when its category is decided in SQL all of a sudden');
is($commands->status($early), undef, 'instead of deciding it in two ways');
$database->value(q{select cqrs.register('counter')});


# What is not a crash.

$consumer = start('--handler', $odd, '--handler-timeout', 1);
$commands->wait_outcomes($early);

my ($stream) = $streams[0][1];
my $id = $commands->send($stream, 'nothing', {});
$commands->wait_outcomes($id);
is($commands->status($id), 'completed', 'a command may change nothing');
is(version($stream), 0, '... and then there is no stream');
$id = $commands->send($stream, 'twice', {});
$commands->wait_outcomes($id);
is(version($stream), 2, 'or more than one thing');
$id = $commands->send($stream, 'refuse', {});
$commands->wait_outcomes($id);
is(told($id), 'rejected: too-late: It is too late.', 'or be refused');
is($database->value('select detail->>\'sum\' from cqrs.inbox where id = $1', $id), 2, '... with details');

my @slow = map { $commands->send($stream, 'wait', {}) } 1 .. 3;
$commands->wait_outcomes(@slow);
is(version($stream), 5, 'the time limit is for each command, not for a batch');

my $number = 2;
for my $case (
    [ fail     => 'The handler of category counter says: no counting today.' ],
    [ nonsense => 'The handler of category counter made a decision that is none.' ],
    [ broken   => 'The handler of category counter made an event that is none.' ],
    [ lose     => 'The handler of category counter lost the state at an event: lost.' ],
) {
    my ($type, $message) = @$case;
    my $held = $streams[0][ $number++ ];
    my $free = $streams[0][ $number++ ];

    my $before = $commands->send($held, 'add', { n => 1 });
    my $bad    = $commands->send($held, $type, {});
    my $behind = $commands->send($held, 'add', { n => 1 });
    my $beside = $commands->send($free, 'add', { n => 3 });
    $commands->wait_outcomes($before, $bad, $behind, $beside);

    is(told($bad), "parked: handler-failed: $message", "a handler that answers with $type has the command parked");
    is($commands->status($behind), 'parked', '... and its stream held');
    is(sum($free), 3, '... but no other one');
}
unlike($consumer->log, qr/was ended/, 'and no worker ended of that');


# What is.

my @innocent;
for my $case (
    [ crash => 'Its handler was ended by signal 6.' ],
    [ leave => 'Its handler ended the process.' ],
    [ hang  => 'Its handler did not come to an end in 1 seconds.' ],
) {
    my ($type, $message) = @$case;

    $consumer->stop;
    my ($held, @free) = splice @{ $streams[0] }, 20, 6;
    my $other = $streams[1][0];
    my $others = version($other);

    my @ids = map { $commands->send($_, 'add', { n => 1 }) } @free, $held;
    my $bad = $commands->send($held, $type, {});
    my $behind = $commands->send($held, 'add', { n => 1 });
    push @ids, map { $commands->send($_, 'add', { n => 10 }) } @free;

    $consumer = start('--handler', $odd, '--handler-timeout', 1);
    $commands->ready;
    push @ids, map { $commands->send($other, 'add', { n => 1 }) } 1 .. 5;
    $commands->wait_outcomes(@ids, $bad, $behind);

    is(told($bad), "parked: handler-crashed: $message", "a command at which a handler does $type is parked");
    is($commands->status($behind), 'parked', '... and its stream held');
    is(join(' ', map { sum($_) } @free), join(' ', map { 11 } @free), '... those around it are executed, once');
    is(join(' ', map { version($_) } @free), join(' ', map { 2 } @free), '... each');
    is(version($held), 1, '... as is what came before it on its stream');
    is(version($other), $others + 5, '... and the other partition');

    my @ends = $consumer->log =~ /^.*master: .*was ended.*$/mg;
    is(scalar(@ends), 3, 'the worker ends three times') or diag($consumer->log);
    is(scalar(grep { /partition 0 was ended by its handler, signal \d+, at command $bad, for the [123]\. time/ } @ends), 3,
        '... each counted against the command');
    ok($consumer->running, 'the daemon goes on');

    push @innocent, $commands->send($_, 'add', { n => 100 }) for @free;
    $commands->wait_outcomes(@innocent);
    is(scalar(() = $consumer->log =~ /master: .*was ended/g), 3, 'and is not disturbed any more');
}

is($consumer->stop, 0, 'the daemon leaves');
is($vhost->queue_depth('cqrs.dead-letters'), 0, 'nothing went to the dead letters');

done_testing;
