#!/usr/bin/perl

# What `make run` does: everything starts, the lines that it prints work as they
# are, everything stops, and the data are found again.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Test::More;

use Cqrs::Guard;
use Cqrs::Paths qw(root slurp);
use Cqrs::Wait qw(wait_until);

chdir root() or die root() . ": $!";

# What runs is found by what is in the directory, so that goes last.
my $dir = tempdir('cqrs-run-XXXXXX', TMPDIR => 1);
chmod 0755, $dir;
Cqrs::Guard::add('rm', '-rf', $dir);
$ENV{CQRS_RUN} = "$dir/run";
$ENV{CQRS_PORT_BASE} = free_base();
Cqrs::Guard::add('tools/run', 'remove');

my ($pid, $output) = start();
my %line = printed();

like(shell($line{token}, "$line{open} -s"), qr{^HTTP/1\.1 202 }, 'the line that opens an account');
like(shell($line{token}, "$line{deposit} -s"), qr{^HTTP/1\.1 202 },
    'the line that deposits something');
wait_until { balance() } 20, 'the balance';
like(balance(), qr/"id":"alice-savings"/, 'the line that looks at the accounts');

(my $listen = $line{listen}) =~ s/" &$/&cursor=0-0" >"$dir\/heard" & echo \$!/;
my $listener = shell($line{token}, $listen);
wait_until { () = slurp("$dir/heard") =~ /cqrs\.command\.completed/g } 20, 'the notifications';
kill 'KILL', $listener;
pass('the line that listens');

my ($status, $text) = run('start');
is($status, 1, 'a second start at the same time does nothing');
like($text, qr/runs already/, 'and says so');

is((run('stop'))[0], 0, 'stop');
is(ended($pid), 0, 'what runs in the foreground has ended');
ok(!listens($ENV{CQRS_PORT_BASE} + $_), "nothing listens on its port $_ any more") for 0 .. 5, 10;

($pid, $output) = start();
%line = printed();
like(balance(), qr/"balance":\s*25/, 'a second start finds the data again');
kill 'INT', $pid;
is(ended($pid), 0, 'Ctrl-C ends it');

is((run('remove'))[0], 0, 'remove');
ok(!-e $ENV{CQRS_RUN}, 'nothing is left');

done_testing;


sub start {
    my $file = "$dir/output";
    unlink $file;

    my $child = fork // die "fork: $!";
    if ($child == 0) {
        setpgrp;

        # a shell can't trap what was ignored before it, as for a test in the background
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $file;
        open STDERR, '>&', \*STDOUT;
        exec 'tools/run', 'start' or POSIX::_exit(127);
    }

    my $open = eval {
        wait_until {
            die "it ended\n" if waitpid $child, WNOHANG;
            slurp($file) =~ /Ctrl-C here/;
        } 90, 'everything to start';
    };
    ok($open, 'everything starts') or BAIL_OUT(slurp($file));

    return ($child, $file);
}

sub printed {
    my @lines = split /\n/, slurp($output);

    return map {
        my ($name, $pattern) = @$_;
        my ($line) = grep { $_ =~ $pattern } @lines;
        ok($line, "a line to paste: $name");
        $name => $line;
    } (
        [ token   => qr/^token=\S+$/ ],
        [ listen  => qr/^tools\/listen / ],
        [ open    => qr/^curl .*\/open$/ ],
        [ deposit => qr/^curl .*\/deposit$/ ],
        [ query   => qr/^curl .*\/api\/accounts/ ],
    );
}

sub balance {
    my $answer = shell($line{token}, "$line{query} -s");

    return $answer =~ /alice-savings/ && $answer;
}

sub shell {
    my @lines = @_;

    open my $out, '-|', 'sh', '-c', join "\n", @lines or die "sh: $!";
    local $/;

    return scalar <$out>;
}

sub run {
    my ($verb) = @_;

    open my $out, '-|', 'sh', '-c', "exec tools/run $verb 2>&1" or die "sh: $!";
    my $said = join '', <$out>;
    close $out;

    return ($? >> 8, $said);
}

sub ended {
    my ($child) = @_;

    wait_until { waitpid $child, WNOHANG } 120, 'it to end';

    return $?;
}

sub listens {
    my ($port) = @_;

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
}

sub free_base {
    my $base;
    do { $base = 10_000 + int rand 10_000 } while grep { listens($base + $_) } 0 .. 10;

    return $base;
}
