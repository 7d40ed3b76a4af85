#!/usr/bin/perl

# tools/services: what users of `make run` rely on, and tests too.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use Test::More;

use Cqrs::Guard;
use Cqrs::Paths qw(root slurp);

my $tool = root() . '/tools/services';
my $long = tempdir('cqrs-tools-XXXXXX', TMPDIR => 1);
chmod 0755, $long;
Cqrs::Guard::add('rm', '-rf', $long);
$long .= '/' . 'long' x 25;    # a unix socket's path could not be below it
Cqrs::Guard::add($tool, 'remove', $long);

run_tool(0, 'start', $long, 'postgres', 'redis');
my %first = env();

ok(-S "$first{PG_SOCKET}/.s.PGSQL.$first{PG_PORT}",
    'Postgres has a socket however long the path is');

sql('create table t (n integer)');
sql('insert into t values (7)');
is(redis('set k 7'), 'OK', 'Redis answers');

run_tool(0, 'start', $long, 'postgres', 'redis');
is(sql('select n from t'), 7, 'a second start does no harm');

run_tool(0, 'kill', $long, 'postgres');
run_tool(1, 'status', $long, 'postgres');
run_tool(0, 'status', $long, 'redis');
run_tool(0, 'start', $long, 'postgres');
is(sql('select n from t'), 7, 'what was committed survives a kill');

run_tool(0, 'stop', $long);
run_tool(1, 'status', $long, 'redis');
run_tool(0, 'start', $long, 'postgres', 'redis');
my %second = env();
is("$second{PG_PORT} $second{REDIS_PORT}", "$first{PG_PORT} $first{REDIS_PORT}",
    'the ports are the same after a stop');
is(sql('select n from t') . redis('get k'), 77, 'so are the data');

run_tool(0, 'stop', $long);
my $somebody = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
    LocalPort => $first{REDIS_PORT}, ReuseAddr => 1) or die "listen: $@";
like(run_tool(1, 'start', $long, 'redis'), qr/port $first{REDIS_PORT} of redis is taken/,
    'a port that somebody else has is named');
ok($somebody, 'and left to them');

run_tool(0, 'remove', $long);
ok(!-e $long, 'remove leaves nothing');

done_testing;


sub run_tool {
    my ($status, @words) = @_;

    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', $tool, @words or die "sh: $!";
    my $text = join '', <$out>;
    close $out;
    is($? >> 8, $status, "$words[0] @words[2 .. $#words]") or diag($text);

    return $text;
}

sub env {
    return slurp("$long/env") =~ /^export CQRS_(\w+)='?([^'\n]*)'?$/mg;
}

sub sql {
    my ($sql) = @_;

    my %env = env();
    return output('psql', '-XtAq', '-h', $env{PG_SOCKET}, '-p', $env{PG_PORT}, '-U', $env{PG_USER},
        '-d', 'postgres', '-c', $sql);
}

sub redis {
    my ($command) = @_;

    my %env = env();
    return output('redis-cli', '-p', $env{REDIS_PORT}, split ' ', $command);
}

sub output {
    my (@command) = @_;

    open my $out, '-|', @command or die "$command[0]: $!";
    my $text = join '', <$out>;
    close $out;
    chomp $text;

    return $text;
}
