#!/usr/bin/perl

# A daemon that is killed again and again has all that was delivered to it
# delivered once more, guilty of nothing.

use strict;
use warnings;

use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant { KILLS => 30, COMMANDS => 200 };

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 1);
my $vhost    = $services->vhost;
my $redis    = $services->redis;

my $commands = Cqrs::Commands->new(
    database => $database, vhost => $vhost, partitions => 1, user => "limit-$$",
);

sub start {
    return Cqrs::Consumer->start(
        database => $database, vhost => $vhost, redis => $redis,
        args     => [ '--log-level', 'info' ],
    );
}

my $consumer = start();
$commands->ready;
$commands->wait_outcomes($commands->send('account-1', 'open', { owner => 'x' }));
$consumer->stop;

my @ids = map { $commands->send('account-1', 'deposit', { amount => $_ }) } 1 .. COMMANDS;


# Who holds the partition's row keeps the daemon from executing anything.

my $lock = $database->connect;

for my $kill (1 .. KILLS) {
    $lock->begin_work;
    $lock->do('select from cqrs.partitions for update');

    $consumer = start();
    wait_until { $vhost->queue_depth('cqrs.commands.0') < COMMANDS } 20, 'a delivery';
    $consumer->kill;

    $lock->rollback;
    wait_until { $vhost->queue_depth('cqrs.commands.0') == COMMANDS } 20, 'the commands to return';
}

is($vhost->queue_depth('cqrs.dead-letters'), 0,
    'after ' . KILLS . ' deliveries in vain no command is among the dead letters');

$consumer = start();
$commands->wait_outcomes(@ids);

my ($events, $ordered) = $database->dbh->selectrow_array(<<'EOS', undef);
select count(*), bool_and((data->>'amount')::numeric = version - 1)
  from cqrs.events
 where version > 1
EOS
is($events, COMMANDS, 'each takes effect, once');
ok($ordered, 'in order');

is($consumer->stop, 0, 'the daemon leaves');

done_testing;
