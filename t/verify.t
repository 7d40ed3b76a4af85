#!/usr/bin/perl

# cqrs-consumer verify: what is wrong is found, and named.
#
# Each fault is made by a superuser, with the triggers that protect the log off,
# in a store that was in order.

use strict;
use warnings;

use JSON qw(decode_json);
use Test::More;

use Cqrs::Consumer;
use Cqrs::Paths qw(build);
use Cqrs::Services;

use constant { PARTITIONS => 2, ACCOUNTS => 10 };

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => PARTITIONS);
my $dbh      = $database->dbh;
my $epoch    = 0;
my $number   = 0;

execute('open', {});
execute('deposit', { amount => 10 }) for 1 .. 3;
execute('withdraw', { amount => 100 });
$dbh->do(q{select * from cqrs.park($1, 0, $2::jsonb, 'XX001', 'It failed.')}, undef, partition('account-parked'),
    command('account-parked', 'open', {}));
$dbh->do(q{select cqrs.claim_checkpoint('rabbitmq', 0, 'me'), cqrs.claim_checkpoint('redis', 0, 'me')});
$dbh->do($_) for 'create schema shown', 'create table shown.seen (n bigint)',
    q{create function shown.project(events cqrs.event[]) returns void language plpgsql as
      'begin insert into seen select e.version from unnest(events) as e; end'},
    q{select cqrs.register_projection('seen', 'shown.project', '{seen}', '{account}', mode => 'async')},
    q{select cqrs.run_projection('seen', 1, 0, 7), cqrs.run_projection('seen', 1, 1, 100)};


# --- in order ---

my ($status, $text) = verify();
is($status, 0, 'a store that is in order: exit status 0') or diag($text);
is(scalar(() = $text =~ /^ok /mg), 11, 'each check is said to be ok');
like($text, qr/^Nothing is wrong\.\n\z/m, 'and that nothing is wrong');
like($text, qr/^ok +positions +40 events$/m, 'and how much there was to look at');
is($database->value(q{select count(*) from pg_namespace where nspname like 'cqrs\_%'}), 0, 'nothing is left of it');

($status, my $json) = verify('--json');
is($status, 0, 'for programs: the same status');
my @lines = map { decode_json($_) } split /\n/, $json;
is_deeply($lines[0], { check => 'positions', subject => undef, result => 'ok', checked => '40 events', wrong => 0,
    skipped => undef, examples => [] }, 'and one object for each check');


# --- out of order ---

my $lost = $database->value('select position from cqrs.events where partition = 0 and version = 2 limit 1');
my $some = $database->value('select stream from cqrs.events where partition = 0 and position = $1', $lost);
my $last = $database->value('select max(position) from cqrs.events where partition = 1');
my $end  = $database->value('select stream from cqrs.events where partition = 1 and position = $1', $last);
my $id   = $database->value('select id from cqrs.inbox where stream = $1 and version = 3', $some);
my $account = $some =~ s/^account-//r;
my $sequence = $database->value('select max(sequence) from cqrs.notifications where partition = 0');

for my $case (
    [ 'a hole in the log', positions => "partition 0: position $lost is missing",
        "delete from cqrs.events where partition = 0 and position = $lost" ],
    [ 'a hole of several', positions => 'partition 1: positions 2 to 4 are missing',
        'delete from cqrs.events where partition = 1 and position between 2 and 4' ],
    [ 'a beginning that is gone', positions => 'partition 1: position 1 is missing',
        'delete from cqrs.events where partition = 1 and position = 1' ],
    [ 'a version that is missing', versions => "$some has no version 2",
        "delete from cqrs.events where partition = 0 and position = $lost" ],
    [ 'versions in another order', versions => qr/^\Q$some\E has version 3 at position \d+, before version 2$/,
        "update cqrs.events set version = 100 + version where stream = '$some' and version in (2, 3)",
        "update cqrs.events set version = 105 - version where stream = '$some' and version > 100" ],
    [ 'an end that is gone', streams => "$end is at version 4, its last event has version 3",
        "delete from cqrs.events where partition = 1 and position = $last" ],
    [ 'a head that is gone', streams => "$some has events, but no head", "delete from cqrs.streams where stream = '$some'" ],
    [ 'a head of nothing', streams => 'account-x has a head, but no events',
        "insert into cqrs.streams (stream, partition, version, folded) values ('account-x', 0, 1, 1)" ],
    [ 'a state that is not the fold', 'states account' => "the state of $some is not what its events fold to",
        qq{update cqrs.streams set state = jsonb_set(state, '{balance}', '1000000') where stream = '$some'} ],
    [ 'an event that says something else', 'states account' => "the state of $some is not what its events fold to",
        qq{update cqrs.events set data = '{"amount": 1000000}' where partition = 0 and position = $lost} ],
    [ 'an outcome that is gone', outcomes => "command $id has events, but no outcome", "delete from cqrs.inbox where id = '$id'" ],
    [ 'an outcome that is another', outcomes => "command $id has events, but was rejected",
        "update cqrs.inbox set status = 'rejected' where id = '$id'" ],
    [ 'an outcome with another version', outcomes => "command $id left $some at version 1, its events end at 3",
        "update cqrs.inbox set version = 1 where id = '$id'" ],
    [ 'a parked command without an outcome', parked => qr/^parked command [0-9a-f-]+ has no outcome$/,
        q{delete from cqrs.inbox where status = 'parked'} ],
    [ 'a parked command that nothing is before', parked => qr/^parked command [0-9a-f-]+ waits for nothing$/,
        q{update cqrs.parked set code = 'stream-held'} ],
    [ 'a notification that is gone', notifications => 'partition 0: notification 3 is missing',
        'delete from cqrs.notifications where partition = 0 and sequence = 3' ],
    [ 'a checkpoint beyond the log', checkpoints => qr/^rabbitmq of partition 0 stands at 1000, which ends at \d+$/,
        q{update cqrs.checkpoints set position = 1000 where sink = 'rabbitmq'} ],
    [ 'a checkpoint beyond the notifications', checkpoints => "redis of partition 0 stands at 1000, which ends at $sequence",
        q{update cqrs.checkpoints set position = 1000 where sink = 'redis'} ],
    [ 'a projection beyond the log', checkpoints => qr/^projection seen of partition 1 stands at 1000, which ends at \d+$/,
        q{update cqrs.projection_checkpoints set position = 1000 where partition = 1} ],
    [ 'a row that was changed', 'projection account' => "bank.accounts: id = $account is not as in the log",
        "update bank.accounts set balance = 0 where id = '$account'" ],
    [ 'a row that is gone', 'projection account' => "bank.transactions: account = $account, version = 2 is missing",
        "delete from bank.transactions where account = '$account' and version = 2" ],
    [ 'a row too many', 'projection account' => 'bank.accounts: id = x is there, but not in the log',
        "insert into bank.accounts select 'x', owner, name, balance, version, opened_at, updated_at from bank.accounts limit 1" ],
    [ 'a row that was shown twice', 'projection seen' => 'shown.seen: a row is there, but not in the log',
        'insert into shown.seen select * from shown.seen limit 1' ],
    [ 'a checkpoint that was moved', 'projection seen' => 'shown.seen: a row is missing',
        q{update cqrs.projection_checkpoints set position = 8 where partition = 0} ],
    [ 'an evolve that fails', 'states account' => 'the check fails, XX000 "no"',
        q{create or replace function bank.effect(type text, data jsonb) returns numeric language plpgsql as
          $$ begin raise exception using errcode = 'XX000', message = 'no'; end $$} ],
    [ 'a projection that fails', 'projection account' => qr/^bank\.project fails, XX000 "no"$/,
        q{create or replace function bank.effect(type text, data jsonb) returns numeric language plpgsql as
          $$ begin raise exception using errcode = 'XX000', message = 'no'; end $$} ],
) {
    my ($title, $check, $sentence, @faults) = @$case;

    broken(sub {
        my ($code, $output) = verify('--json');
        my ($found) = grep { join(' ', $_->{check}, $_->{subject} // ()) eq $check } map { decode_json($_) } split /\n/, $output;
        my @said = @{ $found->{examples} };

        ok($code == 1 && $found->{result} eq 'wrong' && (grep { ref $sentence ? $_ =~ $sentence : $_ eq $sentence } @said),
            "$title is found, and named") or diag($output);
    }, @faults);
}

broken(sub {
    my ($code, $output) = verify();
    is($code, 1, 'for people: exit status 1, too');
    like($output, qr/^wrong +notifications +\d+ notifications\n +1 wrong:\n +partition 0: notification 3 is missing$/m,
        'and the same sentence');
    like($output, qr/^1 of 11 checks found something wrong\.\n\z/m, 'and how many checks found something');
}, 'delete from cqrs.notifications where partition = 0 and sequence = 3');

($status, $text) = verify();
is($status, 0, 'all that was put right again') or diag($text);


# --- what is not looked at ---

$dbh->do(q{select cqrs.refold('account')});
$dbh->do(q{select cqrs.register_projection('told', 'shown.project', null, '{account}', mode => 'async')});
($status, $text) = verify();
is($status, 0, 'what can\'t be checked is not wrong') or diag($text);
like($text, qr/^ok +states account +0 streams, 10 to be folded anew when they are needed$/m,
    'states that will be folded anew are counted');
like($text, qr/^skipped +projection told +it names no tables; see "tables" of cqrs\.register$/m,
    'a projection without tables is said to be skipped');


# --- what is decided in C ---

my $handler = build() . '/handlers/bank.so';
$dbh->do(q{select cqrs.register('account')});
$dbh->do(q{update cqrs.streams set folded = version, state = cqrs_state from
           (select 'account-' || f.id as name, jsonb_build_object('owner', f.owner, 'name', f.id, 'balance', f.balance) as cqrs_state
              from bank.folded() as f) as f where stream = name});
($status, $text) = verify();
is($status, 0, 'without the handler') or diag($text);
like($text, qr/^skipped +states account +it is not folded in SQL: "--handler FILE" names the program that does$/m,
    'states of what is decided in C are skipped, and it is said what is needed');
($status, $text) = verify('--handler', $handler);
is($status, 0, 'with it') or diag($text);
like($text, qr/^ok +states account +10 streams, 0 to be folded anew when they are needed, 0 of which events are missing$/m,
    'they are compared with what the handler makes of the events');
broken(sub {
    my ($code, $output) = verify('--handler', $handler);
    is($code, 1, 'and if they differ');
    like($output, qr/^ +the state of \Q$some\E is not what its events fold to$/m, 'the streams are named');
}, qq{update cqrs.streams set state = jsonb_set(state, '{balance}', '1000000') where stream = '$some'});


# --- mistakes ---

($status, $text) = run('verify', 'fast');
is($status, 2, 'a mistake of usage: exit status 2');
like($text, qr/^cqrs-consumer: "fast" is one argument too many$/m, 'and a sentence');

done_testing;


sub run {
    my ($command, @args) = @_;

    my $consumer = Cqrs::Consumer->start(database => $database, user => $services->env('PG_USER'), command => $command,
        args => \@args);
    my $code = $consumer->wait(60);

    return ($code >> 8, $consumer->log);
}


sub verify { return run('verify', @_) }


# While there are faults in the store.  What was is put back from copies.
sub broken {
    my ($look, @faults) = @_;

    my @tables = qw(cqrs.events cqrs.streams cqrs.inbox cqrs.parked cqrs.notifications cqrs.checkpoints
        cqrs.projection_checkpoints bank.accounts bank.transactions shown.seen);
    my $effect = $database->value(q{select pg_get_functiondef('bank.effect'::regproc)});

    $dbh->do('set session_replication_role = replica');
    for (@tables) {
        my $copy = s/\./_/r;
        $dbh->do("create temp table $copy as select * from $_");
    }
    $dbh->do($_) for @faults;
    $look->();
    for (@tables) {
        my $copy = s/\./_/r;
        my $system = $_ eq 'cqrs.parked' ? 'overriding system value' : '';
        $dbh->do("delete from $_");
        $dbh->do("insert into $_ $system select * from $copy");
        $dbh->do("drop table $copy");
    }
    $dbh->do($effect);
    $dbh->do('set session_replication_role = origin');
}


sub partition { return $database->value('select cqrs.partition_of($1)', $_[0]) }


sub command {
    my ($stream, $type, $data) = @_;

    return JSON->new->canonical->encode({ id => sprintf('00000000-0000-8000-8000-%012d', ++$number), stream => $stream,
        type => $type, data => $data, user => 'alice' });
}


sub execute {
    my ($type, $data) = @_;

    for my $account (1 .. ACCOUNTS) {
        $dbh->do('select * from cqrs.execute($1, $2, $3::jsonb)', undef, partition("account-$account"), $epoch,
            '[' . command("account-$account", $type, $data) . ']');
    }
}
