package Cqrs::Account;

# Runs programs as the account that the private servers run as, see
# tools/lib/account.sh: Postgres and PgBouncer refuse to run as root.
#
#   Cqrs::Account::run('pg_ctl', ...);              # dies when it fails
#   my $pid = Cqrs::Account::start($log, 'pgbouncer', ...);   # ends with the test
#   Cqrs::Account::stop($pid);

use strict;
use warnings;

use Carp qw(croak);
use File::Temp qw(tempdir);
use POSIX ();

use Cqrs::Guard;

my %guards;

sub command {
    my @command = @_;

    return $> == 0
        ? (qw(setpriv --reuid=nobody --regid=nogroup --clear-groups --), @command)
        : @command;
}

# A directory of its own.
sub dir {
    my $dir = tempdir('cqrs-account-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;
    if ($> == 0) {
        my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
        chown $uid, $gid, $dir or croak "chown $dir: $!";
    }

    return $dir;
}

# Its words are notes of the test.
sub run {
    my @command = command(@_);

    open my $out, '-|', 'sh', '-c', 'cd / && exec "$@" 2>&1', 'sh', @command
        or croak "$command[0]: $!";
    my @lines = <$out>;
    close $out;

    print map { "# $_" } @lines;
    croak "@command failed" if $?;
}

sub start {
    my ($log, @command) = @_;

    my $pid = fork // croak "fork: $!";
    if ($pid == 0) {
        POSIX::setpgid(0, 0);
        chdir '/';
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        exec command(@command) or POSIX::_exit(127);
    }
    $guards{$pid} = Cqrs::Guard::add('kill', -$pid);

    return $pid;
}

sub stop {
    my ($pid) = @_;

    kill 'KILL', -$pid;
    waitpid $pid, 0;
    Cqrs::Guard::remove(delete $guards{$pid});
}

1;
