#!/usr/bin/perl

# SIGTERM lets the batch in hand be finished; a second one does not, and loses
# nothing either.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 1);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $user     = "leave-$$";

my $commands = Cqrs::Commands->new(
    database => $database, vhost => $vhost, partitions => 1, user => $user,
);

$database->dbh->do($_) for <<'EOS', <<'EOS';
create function bank.decide_slowly(state jsonb, command cqrs.command) returns cqrs.decision
    language plpgsql
as $$
begin
    perform pg_sleep((command.data->>'pause')::float);
    return bank.decide(state, command);
end $$
EOS
select cqrs.register('account', decide => 'bank.decide_slowly', evolve => 'bank.evolve')
EOS

my $consumer = start();
$commands->ready;

my $slow = $commands->send('account-1', 'open', { pause => 1 });
in_hand();
my $next = $commands->send('account-1', 'deposit', { pause => 0, amount => 1 });

is($consumer->stop, 0, 'the daemon leaves');
is($commands->status($slow), 'completed', 'after it has finished the batch in hand');
is(scalar $commands->history($redis, "user:$user"), 1, 'and told its issuer');
is($commands->status($next), undef, 'what came later stays in the queue');
is($vhost->queue_depth('cqrs.commands.0'), 1, 'alone');


$consumer = start();
$commands->wait_outcomes($next);

$slow = $commands->send('account-1', 'deposit', { pause => 3, amount => 1 });
in_hand();

my $begin = time;
$consumer->signal('TERM');
select undef, undef, undef, 0.3;            # two at the same moment would be one
$consumer->signal('TERM');
$consumer->wait(5);
cmp_ok(time - $begin, '<', 2.5, 'the second SIGTERM is not patient');
like($consumer->log, qr/does not wait any longer/, 'and says so');

$consumer = start();
$commands->wait_outcomes($slow);
is($commands->balance('account-1'), 2, 'the batch that was cut off is done later, and once');

is($consumer->stop, 0, 'the daemon leaves');


# Without a single server it leaves as well.

$consumer = Cqrs::Consumer->start(args => [
    '--postgres', 'host=127.0.0.1 port=1 dbname=x', '--rabbitmq', 'amqp://127.0.0.1:1/',
    '--redis', 'redis://127.0.0.1:1/0',
]);
$consumer->wait_log(qr/postgres: .*trying again/);
$begin = time;
is($consumer->stop, 0, 'a daemon that waits for its servers leaves');
cmp_ok(time - $begin, '<', 5, 'soon');

# A partition that the store does not have is a mistake that no retry heals.

$database->dbh->do('update cqrs.partitions set partition = partition + 100');
$consumer = start();
$commands->send('account-9', 'open', { pause => 0 });
is($consumer->wait(10) >> 8, 1, 'a daemon that the store has no partition for ends');
like($consumer->log, qr/\[alert\].*the store refuses partition 0: "there is no partition 0"/,
    'and says why');

done_testing;


sub start {
    return Cqrs::Consumer->start(
        database => $database, vhost => $vhost, redis => $redis,
        args     => [ '--batch', 1 ],
    );
}


# The command is being decided.
sub in_hand {
    wait_until {
        $database->value(q{select count(*) from pg_stat_activity
            where query like '%cqrs.execute%' and wait_event = 'PgSleep'
              and datname = current_database()})
    } 20, 'the command to be taken';
}
