#!/usr/bin/perl

# The store's functions are replaced while the daemon runs, by an upgrade: what its
# session has prepared is no good any more.  It begins a new one, and no command
# suffers for it.  That domain code raises the same SQLSTATE is its own fault.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 1);
my $vhost    = $services->vhost;
my $user     = "upgraded-$$";

my $consumer = Cqrs::Consumer->start(database => $database, vhost => $vhost, redis => $services->redis);
my $commands = Cqrs::Commands->new(database => $database, vhost => $vhost, partitions => 1, user => $user);

# The daemon's, that has just executed a batch.
sub session {
    return $database->value(<<'SQL');
        select pid from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()
           and (query like '%cqrs.execute(%' or query in ('begin', 'commit'))
SQL
}

sub lives {
    return $database->value('select count(*) from pg_stat_activity where pid = $1', @_);
}

$commands->ready;
$commands->wait_outcomes($commands->send('account-1', 'open', { owner => $user }));
$commands->wait_outcomes($commands->send('account-1', 'deposit', { amount => 5 }));

my $before = session();
ok($before, 'the session that executes');

my $execute = $database->value(q{select pg_get_functiondef('cqrs.execute(integer, bigint, jsonb)'::regprocedure)});
my $columns = 'r.ordinal, r.status::varchar, r.duplicate, r.version, r.code, r.message, r.detail, r.sequence, '
            . 'r.channel, r.body';

ok($execute =~ s/\bstatus text\b/status character varying/
   && $execute =~ s/select \* from (cqrs\.record_batch\(.*?\))/select $columns from $1 as r/,
   'one of its columns has another type');

$database->dbh->begin_work;
$database->dbh->do('drop function cqrs.execute(integer, bigint, jsonb)');
$database->dbh->do($execute);
$database->dbh->commit;

my @after = map { $commands->send('account-1', 'deposit', { amount => $_ }) } 1, 2, 3;
$commands->wait_outcomes(@after);

is($commands->status($_), 'completed', 'a command after the upgrade') for @after;
is($commands->balance('account-1'), 11, 'each once');
is(lives($before), 0, 'in another session');

$database->dbh->do(<<'SQL');
    create function bank.refuse_thirteen() returns trigger language plpgsql as $$
    begin
        if new.balance = 13 then
            raise exception using errcode = '0A000', message = 'no account may hold 13';
        end if;
        return new;
    end $$
SQL
$database->dbh->do(<<'SQL');
    create trigger refuse_thirteen before insert or update on bank.accounts
        for each row execute function bank.refuse_thirteen()
SQL

$before = session();

my $bad = $commands->send('account-1', 'deposit', { amount => 2 });
$commands->wait_outcomes($bad);

is($commands->status($bad), 'parked', 'domain code that raises it has its command parked');
is(lives($before), 1, 'and the session goes on');

is($consumer->stop, 0, 'SIGTERM: the daemon leaves');

done_testing;
