#!/usr/bin/perl

# The bank in C and the bank in SQL say the same to whatever they are asked:
# random commands are decided and folded in SQL, written down as fixtures, and
# put to the handler.  SEED=n repeats a run, COMMANDS=n makes it longer.

use strict;
use warnings;

use File::Temp qw(tempdir);
use JSON ();
use Test::More;

use Cqrs::Paths qw(build spew);
use Cqrs::Services;

my $seed  = $ENV{SEED} // time;
my $count = $ENV{COMMANDS} // 3000;

srand $seed;
note("SEED=$seed");

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 1);
my $text     = JSON->new->allow_nonref;

$database->dbh->do(<<'EOS');
create function public.ask(state jsonb, command jsonb) returns jsonb language plpgsql as $$
declare
    decision cqrs.decision;
    event    cqrs.new_event;
    events   jsonb := '[]';
begin
    decision := bank.decide(state, row((command->>'id')::uuid, command->>'stream', command->>'type', command->'data',
        command->>'user', null, null, null, command->>'causation_id', null, null)::cqrs.command);

    if decision.code is not null then
        return jsonb_build_object('state', state, 'events', events, 'then', jsonb_build_object('rejected',
            jsonb_strip_nulls(jsonb_build_object('code', decision.code, 'message', decision.message))
            || case when decision.detail is null then '{}' else jsonb_build_object('detail', decision.detail) end));
    end if;

    foreach event in array decision.events loop
        events := events || jsonb_build_object('type', event.type, 'data', event.data);
        state := bank.evolve(state, event);
    end loop;

    return jsonb_build_object('state', state, 'events', events, 'then', jsonb_build_object('events', events));
end $$
EOS

my @amounts = (1, 2, 5, 10, 100, 0, -1, '0.1', '0.2', '0.3', '0.10', '0.30', '19.99', '1.005', '1.10', '1e2', '1E-2',
    '1e-3', '123456789.01', '999999999.99', 1_000_000_000, '1000000000.01', '5.000', '0.30000000000000004',
    '1e-300', '9007199254740993', 'null', 'true', '"5"', '[1]', '{"amount":1}');
my @names = ('null', '""', '"  "', '" a b "', '"Konto"', qq("\x{e4}\x{f6}\x{fc}"), qq("\x{1f600}"), '"' . qq(\x{fc}) x 130 . '"',
    '"' . 'x' x 100 . '"', '"' . 'x' x 101 . '"', '"%s%n"', '"a\\"b\\\\c\\n"', 17, 'false');
my @tos = ('"1"', '"2"', '"b-c_D"', '"no such"', '""', 'null', 7, '["2"]', '"' . 'y' x 100 . '"', '"' . 'y' x 101 . '"', '"x\\n"');
my @users = ('alice', 'alice', 'alice', 'bob', '', undef);
my @accounts = (1, 2, 'b-c_D', 'a b', "\x{fc}", 'x' x 100, 'x' x 101);

sub pick { return $_[ rand @_ ] }

sub amount {
    my $dice = rand;

    return $dice < 0.4 ? sprintf('%d.%02d', rand 100, rand 100)
        : $dice < 0.5  ? 1 + int rand 1000
        : $dice < 0.55 ? sprintf('%d.%03d', rand 100, rand 1000)
        : $dice < 0.6  ? sprintf('%d.%02d', rand 1_000_000_000, rand 100)
        :                pick(@amounts);
}

sub command {
    my ($account) = @_;

    my $type = pick(qw(open open deposit deposit deposit deposit withdraw withdraw withdraw transfer transfer
            receive-transfer undo-transfer fly));
    my @data;
    push @data, '"amount":' . amount() unless rand() < 0.05;
    push @data, '"to":' . pick(@tos)      if rand() < 0.6;
    push @data, '"from":' . pick(@tos)    if rand() < 0.2;
    push @data, '"reason":' . pick(@names) if rand() < 0.2;
    push @data, '"name":' . pick(@names)  if $type eq 'open' && rand() < 0.7;
    push @data, '"owner":' . pick(@names, '"alice"', '"bob"') if $type eq 'open' && rand() < 0.3;

    my $user = pick(@users);
    my @members = (
        '"id":"' . sprintf('00000000-0000-8000-8000-%012x', rand 2**40) . '"',
        '"stream":' . $text->encode("account-$account"),
        qq("type":"$type"),
        '"data":{' . join(',', @data) . '}',
        defined $user ? '"user":' . $text->encode($user) : (),
        rand() < 0.5 ? '"causation_id":"00000000-0000-8000-8000-00000000cafe"' : (),
    );

    return '{' . join(',', @members) . '}';
}


my @outcomes = qw(opened deposited withdrawn transfer-sent transfer-received transfer-refused transfer-undone
        unknown-command already-open invalid-account no-owner not-allowed invalid-amount not-open not-owner
        invalid-destination insufficient-funds);
my (%state, %given, @fixtures, %seen);

# Some are rare: until each was there, but not for ever.
while (@fixtures < $count || (@fixtures < 10 * $count && grep { !$seen{$_} } @outcomes)) {
    my $account = pick(@accounts);
    my $command = command($account);

    my ($answer, $state, $then, $events) = $database->dbh->selectrow_array(<<'EOS', undef, $state{$account}, $command);
        select a, a->'state', a->'then', a->'events' from public.ask($1, $2) as a
EOS

    my $given = join ',', @{ $given{$account} ||= [] };
    push @fixtures, sprintf '{"name":"command %d","given":[%s],"when":%s,"then":%s,"state":%s}',
        1 + @fixtures, $given, $command, $then, $state;
    $seen{ $then =~ /"code": "([\w-]+)"/ ? $1 : $then =~ /"type": "([\w-]+)"/ ? $1 : '?' }++;

    $state{$account} = $state eq 'null' ? undef : $state;
    push @{ $given{$account} }, $events =~ /^\[(.+)\]$/ ? $1 : ();

    # from time to time anew, else they get long
    if (@{ $given{$account} } > 40) {
        delete $given{$account};
        delete $state{$account};
    }
}

my $dir = tempdir(CLEANUP => 1);
my $json = '[' . join(",\n", @fixtures) . ']';
utf8::encode($json);
spew("$dir/random.json", $json);

open my $out, '-|', Cqrs::Paths::consumer(), 'spec', $dir, '--handler', build() . '/handlers/bank.so'
    or die "consumer: $!";
my @lines = <$out>;
close $out;

my @wrong = grep { /^not ok/ } @lines;
is(scalar(grep { /^(?:not )?ok/ } @lines), scalar(@fixtures), 'all ' . @fixtures . " commands were asked, with SEED=$seed");
is(scalar(@wrong), 0, 'and the same was said to all of them')
    or diag("SEED=$seed\n", @lines[ grep { $_ >= 0 } map { my $n = $_; $lines[$n] =~ /^not ok/ ? $n .. $n + 4 : () } 0 .. $#lines - 4 ]);
is($? >> 8, 0, 'nothing else went wrong');

for my $what (@outcomes) {
    ok($seen{$what}, "$what was among them");
}

done_testing;
