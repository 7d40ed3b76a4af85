#!/usr/bin/perl

# Commands that can't be read go to the dead letters, commands that fail by
# themselves are parked; the others go on, in order.

use strict;
use warnings;

use JSON ();
use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 1);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $user     = "refused-$$";

my $consumer = Cqrs::Consumer->start(
    database => $database, vhost => $vhost, redis => $redis,
);
my $commands = Cqrs::Commands->new(
    database => $database, vhost => $vhost, partitions => 1, user => $user,
);
$commands->ready;

$commands->wait_outcomes($commands->send('account-1', 'open', { owner => $user }));


for my $case (
    [ 'without an id',        { message_id => '' } ],
    [ 'with an id that is no UUID', { message_id => '17' } ],
    [ 'without a type',       { type => '' } ],
    [ 'without a stream',     { headers => { stream => '' } } ],
    [ 'with a number for a stream', { headers => { stream => 17 } } ],
    [ 'with a number for an expected version', { headers => { 'expected-version' => 2 } } ],
    [ 'with claims that are no object', { headers => { claims => 'clerk' } } ],
    [ 'without a body',       {}, '' ],
    [ 'whose body is an array', {}, '[]' ],
    [ 'whose body is cut off', {}, '{"secret": ' ],
    [ 'whose body holds \u0000', {}, '{"secret": "\u0000"}' ],
    [ 'whose body is not UTF-8', {}, qq({"secret": "\xff"}) ],
    [ 'whose body is too large', {}, '{"secret": "' . 'x' x (1024 * 1024) . '"}' ],
) {
    my ($name, $properties, $body) = @$case;

    my $before = () = $consumer->log =~ /dead letters/g;
    $commands->send('account-1', 'deposit', $body // '{"amount": 1}', %$properties);
    my @dead;
    wait_until { push @dead, $vhost->get('cqrs.dead-letters'); @dead } 10, 'a dead letter';
    is($dead[0]{body}, $body // '{"amount": 1}', "a message $name is among the dead letters");

    my $lines = () = $consumer->log =~ /dead letters/g;
    is($lines, $before + 1, 'with one line in the log');
}

unlike($consumer->log, qr/secret/, 'which holds nothing of the message');
is($database->value('select count(*) from cqrs.inbox'), 1, 'none of them was executed');


# A decider that raises: in the middle of a batch, of which it costs nobody.

$database->dbh->do($_) for <<'EOS', <<'EOS';
create function bank.decide_badly(state jsonb, command cqrs.command) returns cqrs.decision
    language plpgsql
as $$
begin
    if command.type = 'explode' then
        raise exception 'boom' using errcode = 'P0001';
    end if;
    return bank.decide(state, command);
end $$
EOS
select cqrs.register('account', decide => 'bank.decide_badly', evolve => 'bank.evolve',
                     project => 'bank.project', react => 'bank.react', notify => 'bank.notify')
EOS

$consumer->stop;

my @others;
for my $n (2 .. 6) {
    push @others, $commands->send("account-$n", 'open', { owner => $user });
}
my $before = $commands->send('account-2', 'deposit', { amount => 1 });
my $bad    = $commands->send('account-2', 'explode', { amount => 1 });
my $behind = $commands->send('account-2', 'deposit', { amount => 2 });
push @others, $commands->send("account-$_", 'deposit', { amount => 1 }) for 3 .. 6;

$consumer = Cqrs::Consumer->start(
    database => $database, vhost => $vhost, redis => $redis,
);

$commands->wait_outcomes($before, $bad, $behind, @others);
is($commands->status($bad), 'parked', 'a command that keeps failing is parked');
is($commands->status($behind), 'parked', 'what comes after it on its stream waits behind it');
is($commands->status($before), 'completed', 'what came before it was done');
is(scalar(grep { $commands->status($_) ne 'completed' } @others), 0, 'other streams go on');
like($consumer->log, qr/command $bad is parked, it failed 3 times, P0001 "boom"/,
    'the log says which, how often and why');

wait_until { $commands->history($redis, "user:$user") == 1 + 3 + @others }
    10, 'the notifications';
my %told = map { ($_->{message}{data}{id} => $_->{message}) }
    $commands->history($redis, "user:$user");
is($told{$bad}{type}, 'cqrs.command.failed', 'its issuer is told');
is($told{$bad}{data}{code}, 'P0001', 'with the code');
is($told{$behind}{data}{code}, 'stream-held', 'and so is the one of the next');

$commands->wait_outcomes($commands->send('account-3', 'deposit', { amount => 1 }));
is($vhost->queue_depth('cqrs.commands.0'), 0, 'nothing is left in the queue');
is($vhost->queue_depth('cqrs.dead-letters'), 0, 'nor among the dead letters');


# A store that is out of order is no command's fault.

$database->dbh->do('alter function cqrs.execute(integer, bigint, jsonb) rename to execute_away');
my $patient = $commands->send('account-3', 'deposit', { amount => 1 });
$consumer->wait_log(qr/\[error\].*cqrs\.execute/);
$database->dbh->do('alter function cqrs.execute_away(integer, bigint, jsonb) rename to execute');
$commands->wait_outcomes($patient);
is($commands->status($patient), 'completed', 'commands wait for a store that is being repaired');



# A process manager that raises costs one event, not those around it.

$database->dbh->do($_) for <<'EOS', <<'EOS';
create function bank.react_badly(event cqrs.event) returns setof cqrs.command
    language plpgsql
as $$
begin
    if (event.data->>'amount')::numeric = 13 then
        raise exception 'bad luck' using errcode = 'P0013';
    end if;
    return query select * from bank.react(event);
end $$
EOS
select cqrs.register('account', decide => 'bank.decide', evolve => 'bank.evolve',
                     project => 'bank.project', react => 'bank.react_badly')
EOS

$commands->send('account-3', 'deposit', { amount => 100 });
$commands->send('account-3', 'transfer', { to => '4', amount => $_ }) for 10, 13, 20;

my @dead;
wait_until { push @dead, $vhost->get('cqrs.dead-letters'); @dead } 20, 'a dead letter';
is(JSON::decode_json($dead[0]{body})->{data}{amount}, 13,
    'an event whose reaction fails is among the dead letters');
like($consumer->log, qr/event $dead[0]{properties}{message_id} goes to the dead letters.* P0013/,
    'with a line in the log');
wait_until { $commands->balance('account-4') == 31 } 20, 'the other transfers to arrive';
ok(1, 'and other events cause what they should');
is($vhost->queue_depth('cqrs.dead-letters'), 0, 'it was the only one');

is($consumer->stop, 0, 'the daemon leaves');

done_testing;
