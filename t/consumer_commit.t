#!/usr/bin/perl

# What counts is the commit: a batch that was answered, and whose commit then
# failed, has not happened.  A deferred constraint of the domain shows it, for it is
# looked at by the commit alone.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 1);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $user     = "commit-$$";

$database->dbh->do($_) for <<'SQL', <<'SQL';
    create function bank.refuse_thirteen() returns trigger language plpgsql as $$
    begin
        if new.balance = 13 then
            raise exception using errcode = '23514', message = 'no account may hold 13';
        end if;
        return null;
    end $$
SQL
    create constraint trigger refuse_thirteen after insert or update on bank.accounts
        deferrable initially deferred for each row execute function bank.refuse_thirteen()
SQL

my $consumer = Cqrs::Consumer->start(database => $database, vhost => $vhost, redis => $redis);
my $commands = Cqrs::Commands->new(database => $database, vhost => $vhost, partitions => 1, user => $user);

$commands->ready;

my @opened = map { $commands->send("account-$_", 'open', { owner => $user }) } 1, 2;
$commands->wait_outcomes(@opened);

my @good = $commands->send('account-1', 'deposit', { amount => 5 });
my $bad  = $commands->send('account-1', 'deposit', { amount => 8 });
my $held = $commands->send('account-1', 'deposit', { amount => 1 });
push @good, $commands->send('account-2', 'deposit', { amount => 7 });

$commands->wait_outcomes(@good, $bad, $held);

is($commands->status($bad), 'parked', 'a command whose commit fails is parked');
is($database->value('select code from cqrs.inbox where id = $1', $bad), '23514', 'with its SQLSTATE');
is($commands->status($held), 'parked', 'its stream is held');
is($commands->status($_), 'completed', 'others take effect') for @good;
is($commands->balance('account-1'), 5, 'nothing of it is left in its stream');
is($commands->balance('account-2'), 7, 'nor in another one');

my @told;
wait_until { @told = map { $_->{message}{data}{id} } $commands->history($redis, "user:$user"); @told >= 6 } 10,
    'the notifications';
is_deeply([ sort @told ], [ sort @opened, @good, $bad, $held ], 'each issuer is told once');

is($consumer->stop, 0, 'SIGTERM: the daemon leaves');

done_testing;
