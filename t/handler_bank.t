#!/usr/bin/perl

# The bank decided in C, on real servers: commands take effect once, states are
# kept between batches, and whoever else has written is noticed.

use strict;
use warnings;

use JSON ();
use Test::More;

use Cqrs::Bank;
use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 1);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $json     = JSON->new;
my $user     = "handler-$$";

Cqrs::Bank::decided_in($database, 'C');

my $commands = Cqrs::Commands->new(
    database => $database, vhost => $vhost, partitions => 1, user => $user,
);

sub start {
    my @args = @_;

    my $consumer = Cqrs::Consumer->start(
        database => $database, vhost => $vhost, redis => $redis,
        args => [ Cqrs::Bank::arguments('C'), @args ],
    );
    $commands->ready;

    return $consumer;
}

sub outcome {
    my ($id) = @_;

    $commands->wait_outcomes($id);

    return $database->dbh->selectrow_hashref(
        'select status, version, code, message, detail::text from cqrs.inbox where id = $1', undef, $id);
}

sub state {
    my ($stream) = @_;

    return $json->decode($database->value('select state from cqrs.streams where stream = $1', $stream));
}

my $consumer = start();


# One command after the other.

my $open = outcome($commands->send('account-1', 'open', { name => "J\x{fc}rgens" }));
is($open->{status}, 'completed', 'an account is opened');
is($open->{version}, 1, 'with its first event');

is(outcome($commands->send('account-1', 'deposit', { amount => 20.5 }))->{version}, 2, 'money is deposited');
is(outcome($commands->send('account-1', 'deposit', { amount => 0.25 }))->{version}, 3, 'and again');
is($commands->balance('account-1'), 20.75, 'the state is kept with the stream');
is(state('account-1')->{name}, "J\x{fc}rgens", 'text of any kind is in it');
is($database->value(q{select string_agg(type || ' ' || data::text, ', ' order by version) from cqrs.events where stream = 'account-1' and version > 1}),
    'deposited {"amount": 20.5}, deposited {"amount": 0.25}', 'the events are in the log');
is($database->value('select balance from api.accounts'), '20.75', 'and in the read tables');

my $rejected = outcome($commands->send('account-1', 'withdraw', { amount => 20.76 }));
is($rejected->{status}, 'rejected', 'what is not allowed is rejected');
is($rejected->{code}, 'insufficient-funds', '... with its code');
is($rejected->{message}, 'The balance is 20.75, 20.76 was asked for.', '... and a sentence');
is_deeply($json->decode($rejected->{detail}), { balance => 20.75, amount => 20.76 }, '... and details');
is($rejected->{version}, 3, '... at the version that it was decided on');

my $unknown = outcome($commands->send('account-1', 'fly', { amount => 1 }));
is("$unknown->{code}: $unknown->{message}", 'unknown-command: There is no command fly.',
    'a command that the handler does not know is rejected as in SQL');


# Expected versions.

for my $case (
    [ '3',         'completed' ],
    [ '3',         'conflict: It was changed meanwhile: it is at version 4, not 3.' ],
    [ '99',        'conflict: It was changed meanwhile: it is at version 4, not 99.' ],
    [ 'no-stream', 'conflict: It should not exist yet, but is at version 4.' ],
    [ 'exists',    'completed' ],
    [ 'soon',      'invalid-command: The expected version must be a number, no-stream or exists.' ],
) {
    my ($expected, $what) = @$case;
    my $is = outcome($commands->send('account-1', 'deposit', { amount => 1 },
            headers => { 'expected-version' => $expected }));
    is($is->{code} ? "$is->{code}: $is->{message}" : $is->{status}, $what, "expected version $expected: $what");
}
my $conflict = outcome($commands->send('account-nobody', 'open', {}, headers => { 'expected-version' => 'exists' }));
is($conflict->{message}, 'It should exist already, but does not.', 'expected to exist, and does not');

for my $expected (qw(no-stream exists 0 1 7 007 999999999999999999)) {
    for my $version (0, 1, 7) {
        my $stream = "account-expects-$version";
        if ($version && !$database->value('select version from cqrs.streams where stream = $1', $stream)) {
            my @ids = ($commands->send($stream, 'open', {}),
                map { $commands->send($stream, 'deposit', { amount => 1 }) } 2 .. $version);
            $commands->wait_outcomes(@ids);
        }
        my $is = outcome($commands->send($stream, 'fly', {}, headers => { 'expected-version' => $expected }));
        my $sql = $database->dbh->selectrow_hashref(
            'select code, message, detail::text from cqrs.version_conflict($1, $2)', undef, $expected, $version);
        is_deeply([ @$is{qw(code message detail)} ],
            defined $sql->{code} ? [ @$sql{qw(code message detail)} ] : [ 'unknown-command', 'There is no command fly.', undef ],
            "expecting $expected at version $version is the same in C and in SQL");
    }
}


# What costs the store nothing is made by the daemon, unless a state is to be folded anew; what the store makes is the same.

my %headers = (claims => '{"sub": "J\\"\u00fc", "n": [1, null]}', 'correlation-id' => 'a "quoted" \\ one',
    'causation-id' => 'the cause', traceparent => '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
my %made;
for my $stream ('account-by-daemon', 'account-by-store') {
    my @sent;
    for ([ 'open', { name => "\x{2028}\"\\\t" } ], [ 'deposit', { amount => 1.10 } ], [ 'withdraw', { amount => 2 } ]) {
        $database->value(q{select cqrs.refold('account')}) if $stream =~ /store/;
        push @sent, $commands->send($stream, @$_, headers => {%headers});
        $commands->wait_outcomes($sent[-1]);
    }
    my $rows = $database->dbh->selectcol_arrayref(<<'EOS', undef, $stream, $stream, $stream);
        select (to_jsonb(i) - 'recorded_at')::text from cqrs.inbox as i where i.stream = $1
        union all select (to_jsonb(e) - '{position,recorded_at}'::text[])::text from cqrs.events as e where e.stream = $2
        union all select n.channel || ' ' || regexp_replace(n.body, '"time":"[^"]*"', '"time":"?"')::jsonb::text
                    from cqrs.notifications as n where n.body::jsonb->>'subject' = $3
EOS
    my %number = map { ($sent[$_] => "command-$_") } 0 .. $#sent;
    my $derived = join '|', @{ $database->dbh->selectcol_arrayref(
        q{select cqrs.derive_id(c::uuid, k) from unnest($1::text[]) as c cross join unnest('{event:1,notification:1}'::text[]) as k},
        undef, \@sent) };
    for (@$rows) {
        s/([0-9a-f-]{36})/$number{$1} || $1/ge;
        s/$derived/derived/g;
        s/\Q$stream\E/the-stream/g;
    }
    $made{$stream} = [ sort @$rows ];
}
my ($by_daemon, $by_store) = @made{ 'account-by-daemon', 'account-by-store' };
is(scalar @$by_daemon, 8, 'three outcomes, two events, three notifications');
is_deeply($by_daemon, $by_store, 'are the same, whether the daemon or the store makes them');


# The same command twice.

my $id = $commands->send('account-1', 'deposit', { amount => 100 });
$commands->wait_outcomes($id);
my $version = $database->value(q{select version from cqrs.streams where stream = 'account-1'});
$commands->send('account-1', 'deposit', { amount => 100 }, message_id => $id);
is(outcome($commands->send('account-1', 'deposit', { amount => 1 }))->{version}, $version + 1,
    'a command that was executed is not executed again');

$consumer->stop;
my @ids = map { $commands->send('account-1', 'deposit', { amount => 1 }) } 1 .. 5;
$commands->send('account-1', 'deposit', { amount => 1 }, message_id => $_) for @ids[ 0, 0, 3 ];
push @ids, $commands->send('account-2', 'open', {}), $commands->send('account-2', 'deposit', { amount => 7 }),
    $commands->send('account-2', 'withdraw', { amount => 8 }), $commands->send('account-2', 'withdraw', { amount => 7 });
$consumer = start();
$commands->wait_outcomes(@ids);
is($database->value(q{select version from cqrs.streams where stream = 'account-1'}), $version + 6,
    'nor is one that is twice in a batch');
is_deeply([ map { $commands->status($_) } @ids[ -4 .. -1 ] ], [qw(completed completed rejected completed)],
    'in a batch a command sees what those before it did');
is($commands->balance('account-2'), 0, 'to the cent');


# Somebody else writes; nothing tells the daemon, which has the state in memory.

is(outcome($commands->send('account-2', 'deposit', { amount => 5 }))->{version}, 4, 'a state that is known');
$database->dbh->do(<<'EOS');
select from cqrs.append(0, (select epoch from cqrs.partitions), jsonb_build_array(jsonb_build_object(
           'id', '00000000-0000-8000-8000-00000000beef', 'stream', 'account-2', 'type', 'deposit', 'data', '{}'::jsonb)),
       '[{"n": 1, "version": 5, "events": [{"type": "deposited", "data": {"amount": 1000}}]}]',
       '[{"stream": "account-2", "base": 4, "head": 5, "state": {"owner": "nobody", "name": "2", "balance": 1005}}]')
EOS
is(outcome($commands->send('account-2', 'withdraw', { amount => 5 }))->{code}, 'not-owner',
    'a state that was changed by somebody else is loaded anew');
is(outcome($commands->send('account-2', 'deposit', { amount => 5 }))->{version}, 6, 'and decided on');
is($commands->balance('account-2'), 1010, 'with what the other did');

$database->value(q{select cqrs.refold('account')});
is(outcome($commands->send('account-2', 'withdraw', { amount => 11 }))->{status}, 'completed',
    'a state that is to be folded anew is folded by the handler');
is($commands->balance('account-2'), 999, 'from all of its events');
is($database->value(q{select folded from cqrs.streams where stream = 'account-2'}), 7, 'and kept');

$database->value(q{select cqrs.refold('account')});
is(outcome($commands->send('account-2', 'withdraw', { amount => 10_000 }))->{code}, 'insufficient-funds',
    'also where the command has no effect');
is($database->value(q{select folded || ' ' || (state->>'balance') from cqrs.streams where stream = 'account-2'}), '7 999',
    '... it is kept then, too');


# A projection that raises costs the command that it fails for.

$database->dbh->do(<<'EOS');
create function bank.project_badly(events cqrs.event[]) returns void language plpgsql as $$
begin
    if exists (select from unnest(events) as e where e.data->'amount' = '13') then
        raise exception 'bad luck' using errcode = 'P0013';
    end if;
    perform bank.project(events);
end $$
EOS
$database->value(q{select cqrs.register('account', project => 'bank.project_badly', tables => '{accounts, transactions}', react => 'bank.react')});

my @good = map { $commands->send("account-new-$_", 'open', {}) } 1 .. 6;
my $bad    = $commands->send('account-1', 'deposit', { amount => 13 });
my $behind = $commands->send('account-1', 'deposit', { amount => 1 });
push @good, map { $commands->send("account-new-$_", 'deposit', { amount => 1 }) } 1 .. 6;
$commands->wait_outcomes(@good, $bad, $behind);
is($commands->status($bad), 'parked', 'a command whose projection fails is parked');
is(outcome($bad)->{code}, 'P0013', '... with the reason');
is($commands->status($behind), 'parked', 'what follows on its stream waits behind it');
is(outcome($behind)->{code}, 'stream-held', '... because the stream is held');
is(scalar(grep { $commands->status($_) ne 'completed' } @good), 0, 'the others are executed');
is($database->value(q{select string_agg(distinct version::text, ' ') from cqrs.streams where stream like 'account-new-%'}), '2',
    '... once');
Cqrs::Bank::decided_in($database, 'C');


# Two daemons: the one that takes over knows nothing yet, and the other one,
# when it comes back, something that is no longer true.

my $other = start('--cache', 1);
@ids = map { my $n = $_; map { $commands->send("account-new-$n", 'deposit', { amount => 1 }) } 1 .. 5 } 1 .. 6;
$commands->wait_outcomes(@ids);
$consumer->stop;
push @ids, map { my $n = $_; map { $commands->send("account-new-$n", 'deposit', { amount => 1 }) } 1 .. 5 } 1 .. 6;
$commands->wait_outcomes(@ids);
is($database->value(q{select string_agg(distinct state->>'balance', ' ') from cqrs.streams where stream like 'account-new-%'}), '11',
    'a daemon that takes over goes on with what the other did, even with a cache of one state');
$other->stop;


# Transfers: react is SQL, decide is C.

$consumer = start();
$commands->send('account-rich', 'open', {});
$commands->send('account-rich', 'deposit', { amount => 100 });
$commands->send('account-poor', 'open', {});
$commands->send('account-rich', 'transfer', { to => 'poor', amount => 30.5 });
$commands->send('account-rich', 'transfer', { to => 'nowhere', amount => 10 });
wait_until { $commands->balance('account-poor') == 30.5
        && $database->value(q{select count(*) from cqrs.events where stream = 'account-rich' and type = 'transfer-undone'}) }
    20, 'the transfers';
is($commands->balance('account-rich'), 69.5, 'transfers arrive, or come back');
is($database->value('select in_flight from bank.audit'), 0, 'nothing is on the way');

is($database->value(q{select count(*) from (select version - row_number() over (partition by stream order by version) as hole from cqrs.events) as e where hole <> 0}), 0,
    'versions are dense');
is($database->value(q{select count(*) from (select position - row_number() over (partition by partition order by position) as hole from cqrs.events) as e where hole <> 0}), 0,
    'positions are dense');
is($vhost->queue_depth('cqrs.dead-letters'), 0, 'nothing went to the dead letters');

is($consumer->stop, 0, 'the daemon leaves');

done_testing;
