package Bench::Program;

# One of our C programs: started, made ready, let go, heard out, see bench.h.

use v5.36;
use IPC::Open2 ();
use JSON ();

use Bench::Proc;

our $folder;

my $READY_WITHIN = 60;                     # seconds; 2,000 connections take some


sub start($class, $name, @args) {
    my $pid  = IPC::Open2::open2(my $out, my $in, "$folder/$name", @args);
    my $self = bless {
        name => $name, pid => $pid, out => $out, in => $in, text => '',
    }, $class;

    my $line = $self->_line($READY_WITHIN);
    $line eq 'ready' or die "$name said \"$line\", not \"ready\"\n";

    return $self;
}


sub pid($self) { return $self->{pid} }


# Lets it work, and returns its report, with the CPU seconds that it and the
# given servers (name => process) used meanwhile.
sub run($self, $within, %servers) {
    my $meter = Bench::Proc::meter(%servers, client => $self->{pid});

    $self->go;
    my $report = $self->report($within);

    return { %$report, cpu_of => $meter->() };
}


# The same in two steps, for several that work at once.
sub go($self) {
    print { $self->{in} } "go\n";
    $self->{in}->flush;

    return;
}

sub report($self, $within) { return JSON::decode_json($self->_line($within)) }


sub stop($self) {
    close delete $self->{in};
    waitpid delete $self->{pid}, 0;
    die "$self->{name} ended with status $?\n" if $?;

    return;
}


# A whole life.
sub once($class, $name, $args, $within, %servers) {
    my $self   = $class->start($name, @$args);
    my $report = $self->run($within, %servers);
    $self->stop;

    return $report;
}


sub _line($self, $within) {
    my $until = time + $within;

    until ($self->{text} =~ /\n/) {
        my $bits = '';
        vec($bits, fileno $self->{out}, 1) = 1;

        next if select($bits, undef, undef, 1) < 1 && time < $until;
        die "$self->{name} says nothing within $within s\n" if !vec $bits, fileno $self->{out}, 1;

        sysread $self->{out}, $self->{text}, 65536, length $self->{text}
            or die "$self->{name} ended early\n";
    }

    my ($line, $rest) = split /\n/, $self->{text}, 2;
    $self->{text} = $rest;

    return $line;
}


sub DESTROY($self) {
    my $pid = delete $self->{pid} // return;
    local ($?, $!);

    kill 'KILL', $pid;
    waitpid $pid, 0;

    return;
}


1;
