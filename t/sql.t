#!/usr/bin/perl

# Runs t/sql/*.sql, each in a database of its own.
#
# A file's first lines say what it needs: "-- partitions: 4" (else 1), "-- bank".

use strict;
use warnings;

use lib 't/lib';

use File::Basename qw(basename);
use Test::More;

use Cqrs::Paths qw(root slurp);
use Cqrs::Services;

my $services = Cqrs::Services->get;

for my $file (sort glob root() . '/t/sql/*.sql') {
    my $text = slurp($file);
    my ($partitions) = $text =~ /^-- partitions: (\d+)$/m;

    my $database = $services->database(
        partitions => $partitions // 1,
        bank       => scalar($text =~ /^-- bank$/m),
    );

    subtest basename($file, '.sql') => sub { run($database, $file) };
    $database->drop;
}

done_testing;


# Each line of TAP becomes a test here; what is no TAP tells why one failed.
sub run {
    my ($database, $file) = @_;

    my @command = ('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1',
        '-d', $database->conninfo, '-f', $file);

    local $ENV{PGOPTIONS} = '-c client_min_messages=warning';
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command
        or die "psql: $!\n";

    my $planned;
    my $count = 0;

    while (my $line = <$out>) {
        chomp $line;

        if ($line =~ /^(not )?ok \d+(?: - (.*))?$/) {
            ok(!$1, $2);
            $count++;
        } elsif ($line =~ /^1\.\.(\d+)$/) {
            $planned = $1;
        } elsif ($line ne '') {
            diag($line);
        }
    }

    ok(close($out), 'the file ran to its end');
    is($count, $planned, 'all planned tests were run');
}
