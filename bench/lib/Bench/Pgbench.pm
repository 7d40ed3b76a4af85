package Bench::Pgbench;

# Postgres' own pgbench, with prepared statements, as a floor.

use v5.36;
use Time::HiRes qw(time);

use Cqrs::Wait;

use Bench::Proc;


# How many transactions it did, in how many seconds, and the CPU seconds that it
# and the servers (name => process) used.
sub once($class, $database, $args, %servers) {
    my ($binary) = reverse sort glob '/usr/lib/postgresql/*/bin/pgbench';
    my $meter    = Bench::Proc::meter(client => $$, %servers);
    my $start    = time;

    open my $out, '-|', $binary, qw(-n -M prepared), @$args, $database->conninfo
        or die "pgbench: $!\n";
    my $said = do { local $/ = undef; <$out> };
    close $out or die "pgbench failed: $said\n";
    my $seconds = time - $start;

    # its backends' CPU time must have become that of the parent

    Cqrs::Wait::wait_until(sub {
        !$database->value(q{select count(*) from pg_stat_activity where application_name = 'pgbench'});
    }, 10, 'the backends of pgbench to end');

    my ($count) = $said =~ /number of transactions actually processed: (\d+)/
        or die "pgbench said: $said\n";

    return { count => $count, seconds => $seconds, cpu_of => $meter->() };
}


1;
