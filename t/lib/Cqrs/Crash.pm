package Cqrs::Crash;

# Dies at a point of the daemon's protocols; see t/crash/points.c, whose file this
# writes and reads.
#
#   my $crash = Cqrs::Crash->new;
#   Cqrs::Consumer->start(..., environment => $crash->environment);
#   $crash->arm('committed', after => 3, death => 'daemon');
#   $crash->wait_died(10)     the process id of who was there; undef: nobody came by
#   $crash->disarm            it is not to happen any more
#   $crash->passed('acked')   how often a point was passed
#   Cqrs::Crash::points()     their names, in the order of the protocols
#
# death: worker, daemon (all its processes) or pause (SIGSTOP for the worker).

use strict;
use warnings;

use Carp qw(croak);
use File::Temp;

use Cqrs::Paths;
use Cqrs::Wait qw(wait_until);

my @points = qw(
    command-delivered claiming claimed executing execute-sent committed notifying notified acking acked
    publishing published confirmed checkpointing checkpointed
    event-delivered reaction-publishing reaction-published reaction-confirmed event-acking event-acked
);
my %number = map { ($points[$_] => $_ + 1) } 0 .. $#points;
my %death = (worker => 0, daemon => 1, pause => 2);

use constant { ARMED => 0, COUNTDOWN => 1, DEATH => 2, DIED => 3, PASSED => 4 };

sub points { return @points }

sub new {
    my ($class) = @_;

    my $file = File::Temp->new;
    binmode $file;
    syswrite $file, "\0" x (4 * (PASSED + 1 + @points));

    return bless { file => $file }, $class;
}

# The sanitizers' libraries must come first.
sub environment {
    my ($self) = @_;

    my @libraries = Cqrs::Paths::build() . '/t/crash/points.so';
    if (Cqrs::Paths::build() =~ m{/asan$}) {
        for my $name (qw(libubsan.so libasan.so)) {
            chomp(my $library = `gcc -print-file-name=$name`);
            unshift @libraries, $library;
        }
    }

    return { LD_PRELOAD => "@libraries", CQRS_CRASH_FILE => $self->{file}->filename };
}

sub arm {
    my ($self, $point, %how) = @_;

    my $number = $number{$point} // croak "no point $point";
    $self->_set(ARMED, 0);
    $self->_set(COUNTDOWN, $how{after} // 1);
    $self->_set(DEATH, $death{ $how{death} // 'worker' } // croak "no death $how{death}");
    $self->_set(DIED, 0);
    $self->_set(ARMED, $number);
}

sub disarm { $_[0]->_set(ARMED, 0) }

sub died { return $_[0]->_get(DIED) }

sub wait_died {
    my ($self, $timeout) = @_;

    eval { wait_until { $self->died } $timeout, 'a crash' };
    $self->disarm;

    return $self->died || undef;
}

sub passed {
    my ($self, $point) = @_;

    return $self->_get(PASSED + $number{$point});
}

sub _set {
    my ($self, $field, $value) = @_;

    sysseek $self->{file}, 4 * $field, 0;
    syswrite $self->{file}, pack 'L', $value;
}

sub _get {
    my ($self, $field) = @_;

    sysseek $self->{file}, 4 * $field, 0;
    sysread $self->{file}, my $bytes, 4;

    return unpack 'L', $bytes;
}

1;
