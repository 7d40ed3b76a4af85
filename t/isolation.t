#!/usr/bin/perl

# Runs t/isolation/specs/*.spec with Postgres' own isolation tester: sessions whose
# steps are interleaved, and who waits for whom.
#
# After a change that is meant, take over what came out:
#   CQRS_SERVICES=... CQRS_ISOLATION_ACCEPT=1 prove -I t/lib t/isolation.t

use strict;
use warnings;

use lib 't/lib';

use File::Basename qw(basename);
use File::Copy qw(copy);
use File::Temp;
use Test::More;

use Cqrs::Paths qw(root slurp spew);
use Cqrs::Services;

my $folder = root() . '/t/isolation';
my @specs  = map { basename($_, '.spec') } sort glob "$folder/specs/*.spec";
my ($regress) = reverse sort glob '/usr/lib/postgresql/*/lib/pgxs/src/test/isolation/pg_isolation_regress';

plan(skip_all => 'no pg_isolation_regress; Debian has it in postgresql-client-15') unless $regress;

my $services = Cqrs::Services->get;
my $database = $services->database(partitions => 2, bank => 1);
my $output   = File::Temp->newdir;

$database->run("$folder/setup.sql");

# a spec that is new is run too
-e $_ or spew($_, '') for map { "$folder/expected/$_.out" } @specs;

my @said = run($regress, '--use-existing', '--dbname', $database->name, '--host', $services->env('PG_SOCKET'),
    '--port', $services->env('PG_PORT'), '--user', $services->env('PG_USER'), '--inputdir', $folder,
    '--outputdir', "$output", '--dlpath', "$output", @specs);

for my $spec (@specs) {
    if ($ENV{CQRS_ISOLATION_ACCEPT}) {
        copy("$output/results/$spec.out", "$folder/expected/$spec.out") or die "$spec: $!\n";
    }
    ok(scalar(grep { /^test \Q$spec\E\s+\.\.\. ok\b/ } @said), "$spec: who waits for whom, and what comes out");
}

if (grep { !$_->{ok} } Test::More->builder->details) {
    diag(@said);
    diag(slurp("$output/regression.diffs"));
}

done_testing;


sub run {
    my (@command) = @_;

    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command or die "$command[0]: $!\n";

    return <$out>;
}
