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

my $opened = $commands->send('account-1', 'open', { owner => $user });
$commands->wait_outcomes($opened);


my @refused;
for my $case (
    [ 'without an id',        { message_id => '' } ],
    [ 'with an id that is no UUID', { message_id => '17' } ],
    [ 'without a type',       { type => '' } ],
    [ 'without a stream',     { headers => { stream => '' } } ],
    [ 'of another user',      { headers => { stream => '', user => "other-$user" } } ],
    [ 'of nobody',            { headers => { stream => '', user => '' } } ],
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
    my $id = $commands->send('account-1', 'deposit', $body // '{"amount": 1}', %$properties);
    my @dead;
    wait_until { push @dead, $vhost->get('cqrs.dead-letters'); @dead } 10, 'a dead letter';
    is($dead[0]{body}, $body // '{"amount": 1}', "a message $name is among the dead letters");

    my $reason = delete $dead[0]{headers}{'x-cqrs-reason'};
    delete $dead[0]{headers}{'x-delivery-count'};          # RabbitMQ's own
    like($reason, qr/^(?:A header of it|Its|It) .*\.$/, "with the reason: $reason");
    is_deeply($dead[0]{headers}, {
        stream => 'account-1', user => $user, %{ $properties->{headers} || {} },
        'x-cqrs-exchange' => 'cqrs.commands', 'x-cqrs-routing-key' => 'deposit.0',
        'x-cqrs-queue' => 'cqrs.commands.0',
    }, 'where it came from, and all that it had');
    is($dead[0]{properties}{message_id} // '', $id, 'its id is the same');

    my $lines = () = $consumer->log =~ /dead letters/g;
    is($lines, $before + 1, 'and one line is in the log');

    push @refused, $id if $dead[0]{headers}{user} eq $user && length $id == 36;
}

my @told;
wait_until { @told = $commands->history($redis, "user:$user"); @told > @refused }
    10, 'notifications';
is_deeply([ map { [ @{ $_->{message} }{qw(type)}, @{ $_->{message}{data} }{qw(id code)} ] } @told ],
    [ [ 'cqrs.command.completed', $opened, undef ],
      map { [ 'cqrs.command.failed', $_, 'unreadable' ] } @refused ],
    'an issuer who can be told is told of each, in order');
is(scalar $commands->history($redis, "user:other-$user"), 1, 'each of his own');

$commands->send('account-1', 'deposit', '[]', message_id => $refused[0]);
my @again;
wait_until { push @again, $vhost->get('cqrs.dead-letters'); @again } 10, 'a dead letter';
is(scalar $commands->history($redis, "user:$user"), 1 + @refused, 'once for each id');

$commands->send('account-1', 'deposit', '[]', message_id => $opened);
wait_until { push @again, $vhost->get('cqrs.dead-letters'); @again == 2 } 10, 'a dead letter';
is($commands->status($opened), 'completed', 'what has an outcome keeps it');
is(scalar $commands->history($redis, "user:$user"), 1 + @refused, 'and no other is told');

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

wait_until { $commands->history($redis, "user:$user") == 1 + @refused + 3 + @others }
    10, 'the notifications';
my %told = map { ($_->{message}{data}{id} => $_->{message}) }
    $commands->history($redis, "user:$user");
is($told{$bad}{type}, 'cqrs.command.failed', 'its issuer is told');
is($told{$bad}{data}{code}, 'P0001', 'with the code');
is($told{$behind}{data}{code}, 'stream-held', 'and so is the one of the next');

$commands->wait_outcomes($commands->send('account-3', 'deposit', { amount => 1 }));
is($vhost->queue_depth('cqrs.commands.0'), 0, 'nothing is left in the queue');
is($vhost->queue_depth('cqrs.dead-letters'), 0, 'nor among the dead letters');


# Numbers that JSON allows and Postgres does not.

my $huge = $commands->send('account-4', 'deposit', '{"amount": 1e-99999}');
my $next = $commands->send('account-4', 'deposit', { amount => 1 });
$commands->wait_outcomes($next);
is($commands->status($next), 'completed', 'a command that can\'t even be parked holds nothing up');
my @dead;
wait_until { push @dead, $vhost->get('cqrs.dead-letters'); @dead } 10, 'a dead letter';
is($dead[0]{properties}{message_id}, $huge, 'and is among the dead letters');
like($dead[0]{headers}{'x-cqrs-reason'}, qr/^It failed, \w{5} ".*cannot be parked, \w{5} ".*\.$/,
    'with both reasons');
is($dead[0]{body}, '{"amount": 1e-99999}', 'as it was sent');
wait_until { grep { $_->{message}{data}{id} eq $huge } $commands->history($redis, "user:$user") }
    10, 'a notification';
ok(1, 'its issuer is told');
@dead = ();


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

wait_until { push @dead, $vhost->get('cqrs.dead-letters'); @dead } 20, 'a dead letter';
is(JSON::decode_json($dead[0]{body})->{data}{amount}, 13,
    'an event whose reaction fails is among the dead letters');
like($consumer->log, qr/event $dead[0]{properties}{message_id} goes to the dead letters.* P0013/,
    'with a line in the log');
is($dead[0]{headers}{'x-cqrs-reason'}, 'Reacting to it failed 3 times, P0013 "bad luck".', 'the reason');
is($dead[0]{headers}{'x-cqrs-exchange'}, 'cqrs.events', 'and where it came from');
is($dead[0]{headers}{'x-stream'}, 'account-3', 'with all that it had');
wait_until { $commands->balance('account-4') == 32 } 20, 'the other transfers to arrive';
ok(1, 'and other events cause what they should');
is($vhost->queue_depth('cqrs.dead-letters'), 0, 'it was the only one');

is($consumer->stop, 0, 'the daemon leaves');

done_testing;
