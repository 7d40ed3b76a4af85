#!/usr/bin/perl

# A command that ends the server process that executes it is found out and
# parked.  Postgres that ends for other reasons, however often, parks nothing.

use strict;
use warnings;
use feature 'state';

use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant KILLS => 6;

my $services = Cqrs::Services->private;
my $database = $services->database(bank => 1, partitions => 1);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $user     = 'alice';

my $commands = Cqrs::Commands->new(
    database => $database, vhost => $vhost, partitions => 1, user => $user,
);


# "crash" ends the session, "slow" lasts as long as the gate is closed.

$database->dbh->do($_) for <<'EOS', <<'EOS', <<'EOS', <<'EOS';
create table bank.gate as select true as closed
EOS
create function bank.decide_deadly(state jsonb, command cqrs.command) returns cqrs.decision
    language plpgsql
as $$
begin
    if command.type = 'crash' then
        perform pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid());
        perform pg_catalog.pg_sleep(10);
    elsif command.type = 'slow' then
        while (select closed from bank.gate) loop
            perform pg_catalog.pg_sleep(0.01);
        end loop;
        return cqrs.accept();
    end if;
    return bank.decide(state, command);
end $$
EOS
create function bank.react_deadly(event cqrs.event) returns setof cqrs.command
    language plpgsql
as $$
begin
    if (event.data->>'amount')::numeric = 13 then
        perform pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid());
        perform pg_catalog.pg_sleep(10);
    end if;
    return query select * from bank.react(event);
end $$
EOS
select cqrs.register('account', decide => 'bank.decide_deadly', evolve => 'bank.evolve',
                     project => 'bank.project', react => 'bank.react_deadly', notify => 'bank.notify')
EOS

my $consumer = start();
$commands->ready;
$consumer->stop;

my @before = map { $commands->send("account-$_", 'open', { owner => $user }) } 1 .. 4;
my $deadly = $commands->send('account-2', 'crash', {});
my $behind = $commands->send('account-2', 'deposit', { amount => 1 });
my @others = map { $commands->send("account-$_", 'deposit', { amount => 1 }) } 1, 3, 4;

$consumer = start();
$commands->wait_outcomes(@before, $deadly, $behind, @others);
is($commands->status($deadly), 'parked', 'a command that ends its server process is parked');
is($database->value('select code from cqrs.parked where id = $1', $deadly), '08006',
    'with the code of a lost connection');
is($commands->status($behind), 'parked', 'what follows it on its stream waits');
is(scalar(grep { $commands->status($_) ne 'completed' } @before, @others), 0,
    'what was executed together with it is completed');
like($consumer->log, qr/command $deadly is parked, it failed 3 times, 08006/, 'the log says so');
my $lost = () = $consumer->log =~ /the connection was lost while \d+ commands were executed/g;
is($lost, 1, 'which took one batch');


# The same for an event that is reacted to.

$commands->wait_outcomes($commands->send('account-1', 'deposit', { amount => 100 }));
$commands->send('account-1', 'transfer', { to => '4', amount => $_ }) for 10, 13, 20;
my @dead;
wait_until { push @dead, $vhost->get('cqrs.dead-letters'); @dead } 30, 'a dead letter';
is($dead[0]{headers}{'x-cqrs-reason'},
    'The connection to the database was lost each time that it was reacted to.',
    'an event that ends the server process is among the dead letters');
wait_until { $commands->balance('account-4') == 31 } 20, 'the other transfers to arrive';
is($vhost->queue_depth('cqrs.dead-letters'), 0, 'and it alone');
my $log = $consumer->log;
is($consumer->stop, 0, 'the daemon leaves');


# Postgres is killed while the same command is executed, over and over.

$consumer = start();
my $slow = $commands->send('account-3', 'slow', {});
for my $kill (1 .. KILLS) {
    executing();
    $services->kill('postgres');
    $services->start('postgres');
}
$database->dbh->do('update bank.gate set closed = false');
$commands->wait_outcomes($slow);
is($commands->status($slow), 'completed',
    'a command during which Postgres is killed ' . KILLS . ' times waits until it is let');


# A session of somebody else crashes, and Postgres ends all others with it.

$database->dbh->do('update bank.gate set closed = true');
$slow = $commands->send('account-3', 'slow', {});
for my $crash (1 .. KILLS) {
    executing();
    my $other = $database->connect;
    $other->{PrintWarn} = 0;
    kill 'SEGV', $other->{pg_pid};
    wait_until { !$other->ping } 10, 'the session to crash';
}
executing();
$database->dbh->do('update bank.gate set closed = false');
$commands->wait_outcomes($slow);
is($commands->status($slow), 'completed', 'so does one during which other sessions crash');

unlike($consumer->log, qr/is parked/, 'nothing is parked');
is($database->value('select count(*) from cqrs.parked'), 2, 'but what was before');
is($consumer->stop, 0, 'the daemon leaves');

done_testing;


# Waits until the gate is waited for, by a session that was not seen before.
sub executing {
    state $last = 0;

    wait_until {
        my $pid = eval { $database->value(<<'EOS', $last) };
select min(pid) from pg_stat_activity
 where datname = current_database() and wait_event = 'PgSleep' and pid <> $1
EOS
        $last = $pid if $pid;
        $pid;
    } 60, 'the command to be executed';
}


sub start {
    return Cqrs::Consumer->start(database => $database, vhost => $vhost, redis => $redis);
}
