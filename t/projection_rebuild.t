#!/usr/bin/perl

# A projection is made anew while everybody writes and reads.

use strict;
use warnings;

use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use Cqrs::Consumer;
use Cqrs::Paths qw(slurp);
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant { PARTITIONS => 4, ACCOUNTS => 40 };

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => PARTITIONS);
my $dir      = File::Temp->newdir;
my @others;     # processes that write and read

$database->dbh->do('create index by_owner on bank.accounts (owner)');
$database->dbh->do('grant select on bank.transactions to cqrs_reader');
write_batches(0, 'open', 1);
write_batches(0, 'deposit', 30);


# --- the same again ---

{
    start_others();
    my $old = $database->value(q{select 'bank.accounts'::regclass::oid});
    my ($status, $text) = rebuild('account');
    is($status, 0, 'a projection is rebuilt while four clients write and two read') or diag($text);
    like($text, qr/^account: rebuilt from \d+ events in .* s; writers were held up for \d+ ms at most$/m, 'it says so');
    stop_others();

    isnt($database->value(q{select 'bank.accounts'::regclass::oid}), $old, 'the tables are others');
    equal('they are what the log says');
    is($database->value('select difference from bank.audit'), 0, 'views that read them read the new ones');
    is($database->value(q{select has_table_privilege('cqrs_reader', 'bank.transactions', 'select')}), 1, 'grants are kept');
    is($database->value(q{select has_table_privilege('cqrs_reader', 'bank.accounts', 'select')}), 0, 'and none is added');
    is($database->value(q{select count(*) from pg_indexes where schemaname = 'bank' and indexname = 'by_owner'}), 1, 'as are indexes');
    is(notified(), 1, 'functions that are bound to their tables read the new ones');
    is(left_over(), '', 'nothing is left over');
}


# --- another definition ---

$database->dbh->do($_) for (<<'SETUP', <<'PROJECT', <<'REGISTER');
create function bank.setup_2() returns void language plpgsql as $$
begin
    create table accounts (id text primary key, owner text not null, name text not null, balance numeric not null,
                           version bigint not null, opened_at timestamptz not null, updated_at timestamptz not null,
                           lines bigint not null);
    create table transactions (account text, version bigint, at timestamptz not null, type text not null,
                               amount numeric not null, balance numeric not null, counterparty text, reason text,
                               primary key (account, version));
    create index by_type on transactions (type);
end $$
SETUP
create function bank.project_2(events cqrs.event[]) returns void language plpgsql as $$
begin
    -- lets the test hold it up; nobody else takes this lock
    perform pg_advisory_xact_lock_shared(4711);

    insert into accounts
    select substr(e.stream, 9), e.data->>'owner', e.data->>'name', 0, 0, e.recorded_at, e.recorded_at, 0
      from unnest(events) as e
     where e.type = 'opened';

    with lines as (
        insert into transactions
        select a.id, e.version, e.recorded_at, e.type, bank.effect(e.type, e.data),
               a.balance + sum(bank.effect(e.type, e.data)) over (partition by a.id order by e.version),
               coalesce(e.data->>'to', e.data->>'from'), e.data->>'reason'
          from unnest(events) as e
          join accounts as a on a.id = substr(e.stream, 9)
        returning account, version, amount, at
    )
    update accounts as a
       set balance = a.balance + l.amount, version = l.version, updated_at = l.at, lines = a.lines + l.n
      from (select account, sum(amount) as amount, max(version) as version, max(at) as at, count(*) as n
              from lines group by account) as l
     where a.id = l.account;
end $$
PROJECT
select cqrs.register_projection('account', 'bank.project_2', '{accounts, transactions}', '{account}',
                                setup => 'bank.setup_2', revision => 2)
REGISTER

{
    ok(!eval { $database->value('select lines from bank.accounts limit 1'); 1 }, 'a new revision that waits changes nothing');
    write_batches(0, 'deposit', 1);
    equal('events are shown as before');

    # held up at its first step

    my $holder = $database->connect;
    $holder->do('select pg_advisory_lock(4711)');

    my $first = start_rebuild();
    wait_until { waiting() } 20, 'a rebuild to be in the middle';
    my ($status, $text) = rebuild('account');
    is($status, 1, 'a second rebuild of the same projection');
    is($text, "cqrs-consumer: projection account is being rebuilt already, by another session\n", 'is refused');

    $first->kill;
    wait_until { !waiting() } 20, 'its session to be gone';
    equal('a rebuild that is killed in the middle has changed nothing');
    isnt(left_over(), '', 'but has left something');

    my $second = start_rebuild();
    wait_until { waiting() } 20, 'another one to be in the middle';
    $second->signal('INT');
    $holder->do('select pg_advisory_unlock(4711)');
    is($second->wait(20) >> 8, 1, 'one that is interrupted ends with status 1');
    like($second->log, qr/interrupted, nothing has changed/, 'says that nothing has changed');
    is(left_over(), '', 'which is so, and nothing is left over of either');

    $holder->do('select pg_advisory_lock(4711)');
    my $third = start_rebuild();
    wait_until { waiting() } 20, 'yet another one to be in the middle';
    $database->dbh->do(q{create or replace function bank.touch() returns void language sql as 'select null'});
    $database->dbh->do(q{select cqrs.register_projection('account', 'bank.project_2', '{accounts, transactions}', '{account}',
                         mode => 'async', setup => 'bank.setup_2', revision => 2)});
    $holder->do('select pg_advisory_unlock(4711)');
    is($third->wait(20) >> 8, 1, 'one whose definition is changed meanwhile ends with status 1');
    like($third->log, qr/projection account was changed while it was rebuilt: begin again/, 'and says why');
    $database->dbh->do(q{select cqrs.register_projection('account', 'bank.project_2', '{accounts, transactions}', '{account}',
                         setup => 'bank.setup_2', revision => 2)});
    $holder->disconnect;
}

{
    start_others();
    my ($status, $text) = rebuild('account');
    is($status, 0, 'the new revision is built while all write and read') or diag($text);
    stop_others();

    equal('its tables are what the log says');
    is($database->value('select sum(lines) from bank.accounts'), $database->value('select count(*) from cqrs.events'),
        'they have the new column');
    is($database->value('select count(*) from api.accounts'), ACCOUNTS * PARTITIONS, 'views that know nothing of it read on');
    is(notified(), 1, 'as do functions');
    write_batches(0, 'deposit', 1);
    equal('new events are shown in them');
    is_deeply($database->dbh->selectrow_arrayref('select stage, build, revision, project from cqrs.projections'),
        [ 'current', 3, 2, 'bank.project_2' ], 'it is the current revision');
}


# --- somebody reads for long ---

{
    my $holder = $database->connect;
    $holder->do('select pg_advisory_lock(4711)');
    my $rebuild = start_rebuild();
    wait_until { waiting() } 20, 'a rebuild to be in the middle';

    my $reader = $database->connect('cqrs_reader');
    $reader->begin_work;
    $reader->do('select * from api.accounts');
    $holder->disconnect;

    start_others(readers => 0);
    $rebuild->wait_log(qr/waits to take their place/, 60);
    pass('a promotion waits for one who reads the old tables');
    $reader->commit;
    is($rebuild->wait(30), 0, 'and is done when he has read');
    is($reader->selectrow_array('select count(*) from api.accounts'), ACCOUNTS * PARTITIONS, 'who then reads the new ones');
    stop_others();
    equal('the tables are what the log says');
    $reader->disconnect;
}


# --- what can't be done ---

{
    $database->dbh->do('create materialized view bank.rich as select * from bank.accounts where balance > 1e6');
    my ($status, $text) = rebuild('account');
    is($status, 1, 'where something hangs on the tables that can\'t be made anew');
    is($text, "cqrs-consumer: projection account can't be rebuilt: rule _RETURN on materialized view bank.rich hangs on "
        . "table bank.accounts and can't be made anew\n", 'it is refused before it begins');
    $database->dbh->do('drop materialized view bank.rich');

    ($status, $text) = rebuild('savings');
    is($status, 1, 'a projection that is not there');
    is($text, "cqrs-consumer: there is no projection savings\n", 'is named');

    ($status, $text) = rebuild();
    is($status, 2, 'no name at all is a mistake of usage');
}

done_testing;


sub command {
    my ($user, @words) = @_;

    my $consumer = Cqrs::Consumer->start(database => $database, user => $user, command => shift @words, args => \@words);
    my $status = $consumer->wait(60);

    return ($status >> 8, $consumer->log);
}


sub rebuild { return command($services->env('PG_USER'), 'rebuild', @_) }


sub start_rebuild {
    return Cqrs::Consumer->start(database => $database, user => $services->env('PG_USER'), command => 'rebuild',
        args => ['account']);
}


sub waiting {
    return $database->value(q{select count(*) from pg_locks where locktype = 'advisory' and objid = 4711 and not granted});
}


sub left_over {
    return $database->value(<<'SQL');
select coalesce(string_agg(what, ', ' order by what), '')
  from (select nspname::text as what from pg_namespace where nspname like 'cqrs\_%'
        union all
        select stage from cqrs.projections where stage = 'building'
        union all
        select 'checkpoint of build ' || build from cqrs.projection_checkpoints
        union all
        select min(proname) from pg_proc where proname like 'project\_account\_%' having count(*) > 1) as l
SQL
}


# Both ways, by the daemon's own eyes and by the bank's.
sub equal {
    my ($title) = @_;

    my ($status, $text) = command($services->env('PG_USER'), 'verify');
    my $differ = $database->value(<<'SQL');
select count(*)
  from bank.folded() as f
  full join bank.accounts as a on a.id = f.id
 where (a.id, a.owner, a.balance, a.version) is distinct from (f.id, f.owner, f.balance, f.version)
SQL
    ok($status == 0 && $differ == 0, $title) or diag("$differ accounts differ\n$text");
}


# The owner of an account hears of money that reaches it.
sub notified {
    my $to = $database->value('select id from bank.accounts limit 1');

    return $database->value(<<'SQL', "account-$to");
select count(*)
  from bank.notify((select e from (select (cqrs.opened_event(x)).* from cqrs.events as x where x.stream = $1 limit 1) as o
                    cross join lateral (select jsonb_populate_record(null::cqrs.event,
                        to_jsonb(o) || '{"type": "transfer-received", "data": {"amount": 1, "from": "x"}, "metadata": {"user_id": "bob"}}') as e) as p))
SQL
}


# --- who writes and who reads ---

sub write_batches {
    my ($from, $type, $batches, $dbh) = @_;

    $dbh ||= $database->connect('cqrs_consumer');
    my $longest = 0;

    for my $batch (1 .. $batches) {
        for my $partition ($from ? $from - 1 : 0 .. PARTITIONS - 1) {
            my $began = time;
            $dbh->do('select * from cqrs.execute($1, $2, $3::jsonb)', undef, $partition, 0, commands($partition, $type));
            $longest = time - $began if time - $began > $longest;
        }
    }

    return $longest;
}


{
    my %streams;

    sub commands {
        my ($partition, $type) = @_;

        $streams{$partition} ||= $database->connect->selectcol_arrayref(<<'SQL', undef, $partition, ACCOUNTS);
select 'account-' || i from generate_series(1, 10000) as i where cqrs.partition_of('account-' || i) = $1 order by i limit $2
SQL
        my $id = 0;

        return '[' . join(',', map { sprintf '{"id": "%s", "stream": "%s", "type": "%s", "data": {"amount": 1}, "user": "alice"}',
            id(), $_, $type } @{ $streams{$partition} }) . ']';
    }
}


sub id { return join '-', map { my $n = $_; join '', map { sprintf '%x', rand 16 } 1 .. $n } 8, 4, 4, 4, 12 }


# A client for each partition, and readers, until they are told to stop.
sub start_others {
    my (%args) = (readers => 2, @_);

    commands($_, '') for 0 .. PARTITIONS - 1;
    unlink "$dir/stop";

    for my $number (1 .. PARTITIONS + $args{readers}) {
        my $pid = fork // die "fork: $!\n";
        if ($pid == 0) {
            srand($$);
            my $work = $number <= PARTITIONS ? \&write_on : \&read_on;
            my $longest = eval { $work->($number) };
            open my $out, '>', "$dir/$number";
            print $out defined $longest ? "longest $longest\n" : "failed: $@\n";
            close $out;
            require POSIX;
            POSIX::_exit(0);
        }
        push @others, $pid;
    }

    wait_until { PARTITIONS <= (() = glob "$dir/begun-*") } 20, 'all to write';
    unlink glob "$dir/begun-*";
}


sub write_on {
    my ($number) = @_;

    my $dbh = $database->connect('cqrs_consumer');
    my $longest = 0;

    until (-e "$dir/stop") {
        my $took = write_batches($number, 'deposit', 1, $dbh);
        $longest = $took if $took > $longest;
        mark($number);
        sleep 0.03;     # as clients do, who leave something of the machine to others
    }

    return $longest;
}


sub read_on {
    my ($number) = @_;

    my $dbh = $database->connect('cqrs_reader');
    my $longest = 0;

    until (-e "$dir/stop") {
        my $began = time;
        my $rows = $dbh->selectrow_array('select count(*) from api.accounts where balance >= 0');
        die "saw $rows accounts\n" if $rows != ACCOUNTS * PARTITIONS;
        $dbh->selectrow_array('select count(*) from api.accounts as a join api.transactions as t on t.account = a.id');
        $longest = time - $began if time - $began > $longest;
    }

    return $longest;
}


sub mark { open my $mark, '>', "$dir/begun-$_[0]" }


sub stop_others {
    mark('x');
    rename "$dir/begun-x", "$dir/stop";
    my $n = @others;
    waitpid $_, 0 for @others;
    @others = ();
    unlink glob "$dir/begun-*";

    my @said = map { slurp("$dir/$_") } 1 .. $n;
    my @failed = grep { !/^longest/ } @said;
    is("@failed", '', 'none of them failed');
    my ($longest) = sort { $b <=> $a } map { /^longest ([\d.]+)/ ? $1 : () } @said;
    cmp_ok($longest, '<', 3, 'or waited for long');
    note("at most $longest s");
}
