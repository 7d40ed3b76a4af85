#!/usr/bin/perl

# Installing the store: once, again, with a number of partitions, from a dump.

use strict;
use warnings;

use Test::More;

use Cqrs::Paths qw(root);
use Cqrs::Services;

my $services = Cqrs::Services->get;
my $install  = root() . '/sql/install.sql';


# --- the number of partitions ---

my $database = $services->database(install => 0);

is(install($database), '', 'the store is installed');
is($database->value('select cqrs.partition_count()'), 4, 'with four partitions when nothing is said');
is(install($database), '', 'again without harm');
is(install($database, 4), '', 'also with the same number');

like(install($database, 8), qr/ERROR:  this store has 4 partitions, not 8: their number is fixed by the first install\n/,
    'another number is refused with a sentence');
is($database->value('select cqrs.partition_count()'), 4, 'and changes nothing');

for my $number ('0', '-1', '1.5', 'many', '1000') {
    my $other = $services->database(install => 0);

    like(install($other, $number), qr/ERROR:  the number of partitions must be 1 to 999, not \Q$number\E\n/,
        "$number partitions are refused with a sentence");
    is($other->value(q{select to_regnamespace('cqrs') is null}), 1, 'and nothing is left behind');
    $other->drop;
}


# --- by whom, and beside what ---

{
    my $other = $services->database(install => 0);
    my $owner = "owner_$$";

    $other->dbh->do("create role $owner login");
    $other->dbh->do("grant create on database ${\ $other->name } to $owner");
    $other->dbh->do('create extension pgcrypto schema public');

    is(output('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $other->conninfo($owner), '-f', $install), '',
        'whoever may make schemas may install it, also where pgcrypto is already, in another schema');
    is($other->value(q{select cqrs.open_with(k, cqrs.seal_with(k, 1, '{"n": 1}')) from cqrs.new_key() as k}), '{"n": 1}',
        'which is then used');

    $other->dbh->do("drop owned by $owner");
    $other->dbh->do("drop role $owner");
    $other->drop;
}


# --- again, with data in it ---

$database->run(root() . '/examples/bank/sql/install.sql');

my @partitions = @{ $database->dbh->selectcol_arrayref('select partition from cqrs.partitions order by 1') };
my %epoch      = map { $_ => $database->value('select cqrs.claim_partition($1, $2)', $_, 'test') } @partitions;
my $number     = 0;

execute($database, 'open', {});
execute($database, 'deposit', '{"amount": 10}') for 1 .. 3;

my $before = contents($database);

is(install($database), '', 'the store is installed over its data');
is($database->run(root() . '/examples/bank/sql/install.sql'), '', 'the bank, too');
is_deeply(contents($database), $before, 'and no row changes');

execute($database, 'deposit', '{"amount": 10}');
is($database->value('select count(*) from cqrs.events'), 5 * 8, 'it goes on working');


# --- dump and restore ---

$before = contents($database);

my $restored = $services->database(install => 0);
is(restore($database, $restored), '', 'a dump is restored');
is_deeply(contents($restored), $before, 'with every row: positions, versions, states, outcomes');

execute($restored, 'deposit', '{"amount": 10}');
is($restored->value(<<'SQL'), 0, 'positions go on where they were');
    select count(*)
      from (select position - row_number() over (partition by partition order by position) as hole from cqrs.events) as e
     where hole <> 0
SQL
is($restored->value('select count(*) from cqrs.events'), 6 * 8, 'with what has come since');
is($restored->value('select bool_and(version = 6) from cqrs.streams'), 1, 'and the versions');
is(install($restored), '', 'and the store can be installed over it');

done_testing;


# What psql says of it.
sub install {
    my ($database, $partitions) = @_;

    my @options = ('-c client_min_messages=warning', defined $partitions ? "-c cqrs.partitions=$partitions" : ());
    local $ENV{PGOPTIONS} = "@options";

    return output('psql', '-Xq', '-d', $database->conninfo, '-f', $install);
}


sub restore {
    my ($from, $to) = @_;

    return output('sh', '-c', 'pg_dump -d "$1" | psql -Xq -o /dev/null -v ON_ERROR_STOP=1 -d "$2"', 'sh',
        $from->conninfo, $to->conninfo);
}


sub output {
    my (@command) = @_;

    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command or die "$command[0]: $!\n";
    local $/;
    my $text = <$out> // '';
    close $out;

    return $text;
}


# One command for each of eight accounts.
sub execute {
    my ($database, $type, $data) = @_;

    for my $account (1 .. 8) {
        my $stream    = "account-$account";
        my $partition = $database->value('select cqrs.partition_of($1)', $stream);

        $database->dbh->do(<<'SQL', undef, $partition, $epoch{$partition}, ++$number, $stream, $type, ref $data ? '{}' : $data);
            select * from cqrs.execute($1, $2, jsonb_build_array(jsonb_build_object(
                'id', cqrs.derive_id('00000000-0000-0000-0000-000000000000', $3::text),
                'stream', $4::text, 'type', $5::text, 'data', $6::jsonb, 'user', 'alice')))
SQL
    }
}


sub contents {
    my ($database) = @_;

    return { map {
        ($_ => $database->dbh->selectcol_arrayref("select t::text from $_ as t order by 1"))
    } map { "cqrs.$_" } qw(events streams inbox notifications partitions checkpoints parked categories) };
}
