package Cqrs::Consumer;

# The daemon, started for a test.
#
#   my $consumer = Cqrs::Consumer->start(database => $database, vhost => $vhost,
#                                        redis => $redis, args => ['--batch', 8]);
#   $consumer->stop;       TERM, waits; returns the exit status
#   $consumer->kill;       KILL for the master and all its workers at once
#   $consumer->log
#
#   my ($status, $out, $error) = Cqrs::Consumer->ask(vhost => $vhost,
#                                                    words => ['dead', 'list']);
#
# stop() fails the test when the log holds an alert or what a sanitizer says.

use strict;
use warnings;

use Carp qw(croak);
use File::Temp;
use POSIX qw(WNOHANG);
use Scalar::Util qw(weaken);
use Test::More ();

use Cqrs::Guard;
use Cqrs::Paths;
use Cqrs::Wait qw(wait_until);

use constant STOP_TIMEOUT => 30;

my %alive;

# user: the database user, cqrs_consumer; command: another than run; environment:
# variables of its own.
sub start {
    my ($class, %args) = @_;

    my $self = bless { owner => $$, output => File::Temp->new }, $class;

    my @options = _options(%args);

    $self->{pid} = fork // croak "fork: $!";
    if ($self->{pid} == 0) {
        setpgrp;
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>>', $self->{output}->filename;
        open STDERR, '>&', \*STDOUT;
        my %environment = %{ $args{environment} || {} };
        @ENV{ keys %environment } = values %environment;
        exec Cqrs::Paths::consumer(), $args{command} // 'run', @options
            or POSIX::_exit(127);
    }

    # here too: who kills the group at once must find it
    eval { setpgrp $self->{pid}, $self->{pid} };

    $self->{guard} = Cqrs::Guard::add('kill', -$self->{pid});
    $alive{ $self->{pid} } = $self;
    weaken($alive{ $self->{pid} });

    return $self;
}

# Another command than run, to its end.
sub ask {
    my ($class, %args) = @_;

    my ($out, $error) = (File::Temp->new, File::Temp->new);
    my $pid = fork // croak "fork: $!";
    if ($pid == 0) {
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>>', $out->filename;
        open STDERR, '>>', $error->filename;
        exec Cqrs::Paths::consumer(), @{ $args{words} }, _options(%args)
            or POSIX::_exit(127);
    }
    waitpid $pid, 0;

    return ($? >> 8 || $? & 127, map { Cqrs::Paths::slurp($_->filename) } $out, $error);
}

sub _options {
    my (%args) = @_;

    my @options = @{ $args{args} || [] };
    push @options, '--postgres', $args{database}->conninfo($args{user} // 'cqrs_consumer')
        if $args{database};
    push @options, '--rabbitmq', $args{vhost}->url if $args{vhost};
    push @options, '--redis', $args{redis}->url if $args{redis};

    return @options;
}

sub pid { return $_[0]{pid} }
sub log { return Cqrs::Paths::slurp($_[0]{output}->filename) }

sub wait_log {
    my ($self, $pattern, $timeout) = @_;

    my $line;
    wait_until {
        ($line) = grep { $_ =~ $pattern } split /\n/, $self->log;
        croak "the consumer ended: " . $self->log
            if !defined $line && !$self->running;
        defined $line;
    } $timeout // 10, "the consumer's log to hold $pattern";

    return $line;
}

sub running {
    my ($self) = @_;

    return 0 unless $self->{pid};
    return 1 if waitpid($self->{pid}, WNOHANG) == 0;
    $self->_ended($?);

    return 0;
}

# Waits until it has ended by itself; returns the wait status.
sub wait {
    my ($self, $timeout) = @_;

    wait_until { !$self->running } $timeout // 10, 'the consumer to end';

    return $self->{status};
}

sub stop {
    my ($self) = @_;

    return $self->{status} unless $self->running;

    my $pid = $self->{pid};
    CORE::kill('TERM', $pid);
    if (!eval { $self->wait(STOP_TIMEOUT); 1 }) {
        Test::More::fail('the consumer leaves when it is told to');
        Test::More::diag($self->log);
        $self->kill;
    } elsif ($self->{status}) {
        Test::More::fail("the consumer leaves without a fault, not with status $self->{status}");
        Test::More::diag($self->log);
    }
    $self->_check_log;

    return $self->{status};
}

sub kill {
    my ($self) = @_;

    return unless $self->{pid};
    CORE::kill('KILL', -$self->{pid});
    waitpid $self->{pid}, 0;
    $self->_ended($?);
}

sub _ended {
    my ($self, $status) = @_;

    $self->{status} = $status;
    delete $alive{ delete $self->{pid} };
    Cqrs::Guard::remove(delete $self->{guard});
}

sub signal {
    my ($self, $signal) = @_;

    CORE::kill($signal, $self->{pid});
}

sub _check_log {
    my ($self) = @_;

    my @bad = grep { /\[alert\]|Sanitizer|runtime error:/ } split /\n/, $self->log;
    return unless @bad;

    Test::More::fail("the consumer's log is free of alerts");
    Test::More::diag($self->log);
}

sub DESTROY {
    my ($self) = @_;

    return if $$ != $self->{owner} || !$self->{pid};
    local ($@, $?, $!);
    $self->stop;
}

END {
    local $?;
    $_->DESTROY for grep { $_ } values %alive;
}

1;
