#!/usr/bin/perl

# cqrs-consumer parked: what failed comes back, in order, whoever decides it, and
# whatever dies meanwhile.

use strict;
use warnings;

use lib 't/lib';

use File::Temp;
use JSON ();
use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Crash;
use Cqrs::Paths;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant BEHIND => 10;      # more than two batches

my $odd      = Cqrs::Paths::build() . '/t/handlers/odd.so';
my $mood     = File::Temp->new;
my $crash    = Cqrs::Crash->new;
my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 1);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $user     = "parked-$$";
my $commands = Cqrs::Commands->new(database => $database, vhost => $vhost, partitions => 1, user => $user);

$database->dbh->do($_) for <<'EOS', <<'EOS', <<'EOS', <<'EOS';
create table bank.broken (reason text not null)
EOS
create function bank.decide_badly(state jsonb, command cqrs.command) returns cqrs.decision
    language plpgsql
as $$
declare
    reason constant text := (select b.reason from bank.broken as b);
begin
    if command.data ? 'moody' and reason is not null then
        raise exception '%', reason;
    end if;
    return bank.decide(state, command);
end $$
EOS
select cqrs.register('account', decide => 'bank.decide_badly', evolve => 'bank.evolve',
                     project => 'bank.project', react => 'bank.react', notify => 'bank.notify')
EOS
select cqrs.register('counter')
EOS

sub parked {
    my (@words) = @_;

    return Cqrs::Consumer->ask(database => $database, words => [ 'parked', @words ]);
}

sub start {
    return Cqrs::Consumer->start(
        database    => $database, vhost => $vhost, redis => $redis,
        environment => { %{ $crash->environment }, ODD_MOOD => $mood->filename },
        args        => [ '--batch', 4, '--name', 'one', '--handler', $odd ],
    );
}

sub break {
    my ($reason) = @_;

    $database->dbh->do('delete from bank.broken');
    $database->dbh->do('insert into bank.broken values (?)', undef, $reason);
    Cqrs::Paths::spew($mood->filename, '');
}

sub mend {
    $database->dbh->do('delete from bank.broken');
    unlink $mood->filename;
}

sub bad {
    my ($stream) = @_;

    return $commands->send($stream, $stream =~ /^counter/ ? 'moody' : 'deposit', { amount => 1, n => 1, moody => 1 });
}

sub good {
    my ($stream) = @_;

    return $commands->send($stream, $stream =~ /^counter/ ? 'add' : 'deposit', { amount => 1, n => 1 });
}

# One that fails, and what waits behind it.
sub hold {
    my ($stream, $behind) = @_;

    my @ids = (bad($stream), map { good($stream) } 1 .. $behind);
    $commands->wait_outcomes(@ids);

    return @ids;
}

# The commands whose events the stream has, in order.
sub done {
    my ($stream) = @_;

    return @{ $database->dbh->selectcol_arrayref(
        q{select metadata->>'command_id' from cqrs.events where stream = $1 order by version}, undef, $stream) };
}

sub wait_free {
    wait_until { !$database->value('select count(*) from cqrs.parked') } 20, 'nothing to be parked any more';
}

sub told {
    my ($id) = @_;

    return join ' ', map { $_->{message}{type} =~ s/^cqrs\.command\.//r }
        grep { ($_->{message}{data}{id} // '') eq $id } $commands->history($redis, "user:$user");
}


is_deeply([ parked('list') ], [ 0, "There are no parked commands.\n", '' ], 'parked list: nothing is there');
is_deeply([ parked('retry', '--all') ], [ 0, "There are no parked commands.\n", '' ], 'parked retry --all: likewise');

my $consumer = start();
$commands->ready;
$commands->wait_outcomes(map { $commands->send("account-$_", 'open', { owner => $user }) } 1 .. 3);

break('out of order');
my %ids = map { ($_ => [ hold($_, BEHIND) ]) } 'account-1', 'counter-1';
$commands->wait_outcomes(my @others = map { good($_) } 'account-2', 'counter-2');
is_deeply([ map { $commands->status($_) } @others ], [ ('completed') x 2 ], 'other streams flow');


# list and show

my ($status, $out) = parked('list', '--json');
my @listed = @{ JSON::decode_json($out) };
is($status, 0, 'parked list --json');
is_deeply([ map { $_->{id} } grep { $_->{stream} eq 'account-1' } @listed ], $ids{'account-1'}, 'lists all of them, in order');
my ($first) = grep { $_->{id} eq $ids{'account-1'}[0] } @listed;
like(delete $first->{parked_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'since when');
is_deeply($first, {
    id => $ids{'account-1'}[0], type => 'deposit', stream => 'account-1', user => $user, partition => 0,
    status => 'failed', code => 'P0001', reason => 'out of order', behind => BEHIND,
}, 'and what is known of each');

($status, $out) = parked('list');
my @lines = split /\n/, $out;
like($lines[0], qr/^ID +TYPE +STREAM +STATUS +SINCE +REASON$/, 'parked list: a head');
like($lines[1], qr/^$ids{'account-1'}[0]  deposit  account-1  failed  \d\S+Z  out of order$/, 'aligned');
is(scalar @lines, 1 + 2 * (1 + BEHIND), 'one line for each');

($status, $out) = parked('show', $ids{'counter-1'}[0]);
is($status, 0, 'parked show ID');
like($out, qr/^reason +The handler of category counter says: no counting today\.$/m, 'shows the reason');
like($out, qr/^behind +@{[ BEHIND ]}$/m, 'how many wait behind it');
like($out, qr/\n\n\{"n": 1, .*\}\n\z/, 'and what it says');
is(JSON::decode_json((parked('show', '--json', $ids{'counter-1'}[1]))[1])->{status}, 'waits', 'parked show --json');

for my $word ($database->value('select gen_random_uuid()'), 'account-9') {
    is_deeply([ parked($_, $word) ], [ 1, '', qq(cqrs-consumer: there is no parked command "$word"\n) ],
        "parked $_: exit status 1 when it is not there, and a sentence") for qw(show discard);
    is_deeply([ parked('retry', $word) ], [ 1, '', qq(cqrs-consumer: there is no parked command or stream "$word"\n) ],
        'parked retry: likewise');
}
is_deeply([ parked('retry') ], [ 2, '', qq(cqrs-consumer: "parked retry" wants a stream, an id or --all\n) ],
    'parked retry: of what must be said');
is_deeply([ parked('retry', '--all', 'account-1') ], [ 2, '', qq(cqrs-consumer: "account-1" is one argument too many\n) ],
    'and once');
is((parked('discard', '--all'))[0], 2, 'there is no discarding all of them');


# What fails again stays where it is.

is_deeply([ parked('retry', 'account-1') ], [ 0, "Stream account-1 is released: 11 commands.\n", '' ], 'parked retry STREAM');
wait_until { 2 == (() = $consumer->log =~ /command $ids{'account-1'}[0] is parked, it failed/g) } 20, 'it to be parked again';
is_deeply([ map { $_->{id} } @{ JSON::decode_json((parked('list', '--json'))[1]) } ], [ map { $_->{id} } @listed ],
    'what fails again is parked again, and all is in its old place');
$commands->wait_outcomes(good('account-2'));
is(told($ids{'account-1'}[0]), 'failed', 'its issuer is not told again');
break('out of order in another way');
parked('retry', $ids{'account-1'}[3]);
wait_until { told($ids{'account-1'}[0]) eq 'failed failed' } 20, 'another reason to be told';
is(JSON::decode_json((parked('show', '--json', $ids{'account-1'}[0]))[1])->{reason}, 'out of order in another way',
    'unless the reason is another one, which is kept');
is(scalar(done('account-1')), 1, 'nothing was done');


# The way back.

mend();
is_deeply([ parked('retry', $ids{'account-1'}[3]) ], [ 0, "Stream account-1 is released: 11 commands.\n", '' ],
    'parked retry ID: stands for its stream');
is((parked('retry', 'counter-1'))[0], 0, 'parked retry, of what is decided in C');
push @{ $ids{$_} }, good($_) for ('account-1', 'counter-1') x 8;
wait_free();
$commands->wait_outcomes(my @after = map { good($_) } 'account-1', 'counter-1');
push @{ $ids{'account-1'} }, $after[0];
push @{ $ids{'counter-1'} }, $after[1];

my @account = done('account-1');
is_deeply([ @account[ 1 .. $#account ] ], $ids{'account-1'}, 'all are done, in the order in which they were sent: decided in SQL');
is_deeply([ done('counter-1') ], $ids{'counter-1'}, 'decided in C');
is($commands->balance('account-1'), scalar(@{ $ids{'account-1'} }), 'and take effect once');
is($database->value(q{select state->>'sum' from cqrs.streams where stream = 'counter-1'}), scalar(@{ $ids{'counter-1'} }), '... there, too');
is(join(' ', map { $commands->status($_) } @after), 'completed completed', 'the streams are free');
wait_until { told($ids{'account-1'}[0]) eq 'failed failed completed' && told($ids{'counter-1'}[BEHIND]) eq 'failed completed' }
    10, 'the issuers to be told';
ok(1, 'their issuers are told');


# discard

break('out of order');
my @held = map { [ hold($_, 3) ] } 'account-3', 'counter-3';
for my $ids (@held) {
    is_deeply([ parked('discard', $ids->[2]) ], [ 0, "Command $ids->[2] is discarded.\n", '' ], 'parked discard: of one that waits');
    wait_until { $commands->status($ids->[2]) eq 'rejected' } 20, 'it to end';
    is($commands->status($ids->[1]), 'parked', 'its stream is held as before');
    is((parked('discard', $ids->[0]))[0], 0, 'parked discard: of the one that failed');
}
wait_free();
is_deeply([ map { my $ids = $_; map { $commands->status($_) } @$ids } @held ], [ ('rejected', 'completed', 'rejected', 'completed') x 2 ],
    'what is discarded ends as a rejection, and what waited for it follows');
wait_until { told($held[0][0]) eq 'failed rejected' } 10, 'the issuer to be told';
is((grep { $_->{message}{data}{id} eq $held[0][0] } $commands->history($redis, "user:$user"))[-1]{message}{data}{code}, 'discarded',
    'its issuer is told');


# Death at any step.

for my $point (qw(execute-sent committed)) {
    break('out of order');
    my %streams = map { ($_ => [ done($_) ]) } 'account-2', 'counter-2';
    push @{ $streams{$_} }, hold($_, BEHIND) for sort keys %streams;
    mend();

    my $death = $point eq 'committed' ? 'daemon' : 'worker';
    $crash->arm($point, after => 3, death => $death);
    is((parked('retry', '--all'))[0], 0, 'parked retry --all');
    ok($crash->wait_died(20), "the $death dies: $point");
    if ($death eq 'daemon') {
        $consumer->wait;
        $consumer = start();
    }
    wait_free();
    is_deeply([ done($_) ], $streams{$_}, "... nothing is lost or done twice, the order is kept: $_") for sort keys %streams;
}

is($consumer->stop, 0, 'the daemon leaves');

($status, $out) = Cqrs::Consumer->ask(database => $database, user => $services->env('PG_USER'), words => ['verify'], args => [ '--handler', $odd ]);
is($status, 0, 'verify finds nothing wrong') or diag($out);

my ($error);
($status, $out, $error) = Cqrs::Consumer->ask(words => [ qw(parked list) ], args => [ '--postgres', 'host=/nowhere' ]);
is($status, 1, 'Postgres away: exit status 1');
like($error, qr/\Acqrs-consumer: postgres: [^\n]+\n/, 'and a sentence');

done_testing;
