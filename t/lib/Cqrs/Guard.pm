package Cqrs::Guard;

# Ends what a test has started, however the test ends.
#
#   my $id = Cqrs::Guard::add('kill', -$pid);      # a process group; or a program:
#   my $id = Cqrs::Guard::add('rm', '-rf', $dir);
#   Cqrs::Guard::remove($id);          # it has ended in the usual way
#
# A process of its own reads from a pipe what is to be done, and does it when
# the pipe's other end is gone: also when the test was killed.  INT, TERM and
# the like become an ordinary exit, so that END blocks run; USR1 tells where the
# test is.

use strict;
use warnings;

use Carp ();
use IO::Handle;
use POSIX ();

my ($pipe, $owner, $last);

sub add {
    my (@command) = @_;

    _begin() unless $pipe && $owner == $$;
    $last++;
    print $pipe join("\t", 'add', $last, @command), "\n";

    return $last;
}

sub remove {
    my ($id) = @_;

    print $pipe "remove\t$id\n" if $id && $pipe && $owner == $$;
}

sub _begin {
    pipe my $read, my $write or die "pipe: $!\n";

    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        close $write;
        _watch($read);
        POSIX::_exit(0);
    }
    close $read;
    $write->autoflush(1);
    ($pipe, $owner) = ($write, $$);

    for my $signal (qw(INT TERM HUP PIPE)) {
        $SIG{$signal} = sub { exit 1 } if !$SIG{$signal} || $SIG{$signal} eq 'DEFAULT';
    }
    $SIG{USR1} = sub { print STDERR Carp::longmess('# the test is') };
}

# The test's output is not held open, nor does a signal to its group end this.
sub _watch {
    my ($read) = @_;

    POSIX::setsid();
    $SIG{$_} = 'IGNORE' for qw(INT TERM HUP PIPE);
    open STDIN,  '<', '/dev/null';
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    $0 = 'the guard of a test';

    my %left;
    while (my $line = <$read>) {
        chomp $line;
        my ($verb, $id, @command) = split /\t/, $line;
        if ($verb eq 'add') { $left{$id} = \@command }
        else                { delete $left{$id} }
    }

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
    for my $id (sort { $b <=> $a } keys %left) {
        my ($program, @arguments) = @{ $left{$id} };
        if ($program eq 'kill') { kill 'KILL', @arguments }
        else                    { system $program, @arguments }
    }
}

1;
