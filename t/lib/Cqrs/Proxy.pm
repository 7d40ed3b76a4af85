package Cqrs::Proxy;

# What breaks between nginx and RabbitMQ: a process that passes bytes on, and
# disturbs them at a byte of a frame.
#
#   my $proxy = Cqrs::Proxy->new(port => $vhost->port);
#   $proxy->url($vhost->url)          the same through the proxy; ->port
#   $proxy->cut                       closes what is open
#   $proxy->plan($plan)               for the next connection; closes what is open
#   $proxy->beats                     heartbeats of nginx on connections with a plan
#
# A plan is "SIDE WHAT FRAME OFFSET".  SIDE is whose bytes they are, "server" or
# "client"; frames count from 0 (the client's frame 0 is its greeting); a negative
# offset counts from the frame's end.  WHAT is one of
#
#   cut     closes both sides instead of passing that byte on
#   flip    inverts that byte
#   delay   passes that byte and the rest on 0.3 s later
#   split   passes single bytes on, from there to the end
#   drop    swallows everything from there on
#   none    nothing
#
# With address => '127.0.0.3' it listens there.

use strict;
use warnings;

use Carp qw(croak);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);

use Cqrs::Paths;
use Cqrs::Wait qw(wait_until);

use constant { HEAD => 7, EXTRA => 8, GREETING => 8, HEARTBEAT => 8 };

sub new {
    my ($class, %args) = @_;

    my $self = bless { owner => $$, dir => tempdir(CLEANUP => 1), %args }, $class;

    $self->{listen} = IO::Socket::INET->new(
        Listen    => 50,
        LocalAddr => $args{address} || '127.0.0.1',
        ReuseAddr => 1,
    ) or croak "proxy: $!";

    $self->{pid} = fork // croak "fork: $!";
    if (!$self->{pid}) {
        eval { $self->_run };
        warn $@ if $@;
        POSIX::_exit(1);
    }

    return $self;
}

sub port { return $_[0]{listen}->sockport }

sub url {
    my ($self, $url) = @_;

    my $port = $self->port;
    $url =~ s/:\d+(?=\/)/:$port/;

    return $url;
}

sub cut { kill 'USR1', $_[0]{pid} }

sub plan {
    my ($self, $plan) = @_;

    my $file = "$self->{dir}/plan";
    Cqrs::Paths::spew("$file.new", $plan);
    rename "$file.new", $file or croak "proxy: $!";
    $self->cut;
    wait_until { !-e $file } 20, "a connection to take the plan \"$plan\"";
}

sub beats { return -s "$_[0]{dir}/beats" || 0 }

sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

sub DESTROY {
    my ($self) = @_;

    return if $$ != $self->{owner};
    local ($@, $?, $!);
    $self->stop;
}

sub _run {
    my ($self) = @_;

    my $cut;
    local $SIG{USR1} = sub { $cut = 1 };
    local $SIG{PIPE} = 'IGNORE';

    $self->{select} = IO::Select->new($self->{listen});
    $self->{ends} = {};

    while (getppid == $self->{owner}) {    # it ends with its test, however that ends
        if ($cut) {
            $cut = 0;
            my @ends = values %{ $self->{ends} };
            $self->_close($_) for @ends;
        }
        for my $socket ($self->{select}->can_read(0.05)) {
            if ($socket == $self->{listen}) {
                $self->_accept;
                next;
            }
            my $end = $self->{ends}{$socket} or next;
            sysread($socket, $end->{bytes}, 65536, length $end->{bytes})
                ? $self->_pass($end)
                : $self->_close($end);
        }
    }
}

sub _accept {
    my ($self) = @_;

    my $client = $self->{listen}->accept or return;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port})
        or return;    # the broker is away, and so are we

    my $plan;
    if (open my $file, '<', "$self->{dir}/plan") {
        my ($side, $what, $frame, $offset) = split ' ', <$file>;
        $plan = { side => $side, what => $what, frame => $frame, offset => $offset };
        unlink "$self->{dir}/plan";
    }

    my @ends = map { +{ bytes => '', frame => 0 } } 0, 1;
    @{ $ends[0] }{qw(name socket peer plan)} = ('client', $client, $ends[1], $plan);
    @{ $ends[1] }{qw(name socket peer plan)} = ('server', $server, $ends[0], $plan);

    for my $end (@ends) {
        $end->{socket}->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
        $self->{select}->add($end->{socket});
        $self->{ends}{ $end->{socket} } = $end;
    }
}

sub _close {
    my ($self, $end) = @_;

    my $peer = delete $end->{peer} or return;
    delete $peer->{peer};

    for ($end, $peer) {
        delete $self->{ends}{ $_->{socket} };
        $self->{select}->remove($_->{socket});
        close $_->{socket};
    }
}

# Whole frames, where there is a plan.
sub _pass {
    my ($self, $end) = @_;

    if (!$end->{plan}) {
        $self->_write($end, $end->{bytes});
        $end->{bytes} = '';
        return;
    }

    while ($end->{peer}) {
        last if length $end->{bytes} < HEAD;
        my $size = $end->{name} eq 'client' && $end->{frame} == 0 ? GREETING
            : EXTRA + unpack('x3 N', $end->{bytes});
        last if length $end->{bytes} < $size;
        $self->_frame($end, substr $end->{bytes}, 0, $size, '');
        $end->{frame}++;
    }
}

sub _frame {
    my ($self, $end, $frame) = @_;

    my $plan = $end->{plan};

    if ($end->{name} eq 'client' && $end->{frame} && ord($frame) == HEARTBEAT) {
        open my $beats, '>>', "$self->{dir}/beats" or die "beats: $!";
        print $beats '.';
    }

    return $self->_write($end, $frame)
        if $plan->{side} ne $end->{name} || $plan->{frame} > $end->{frame};

    my $what = $plan->{what};
    my $at = $plan->{frame} < $end->{frame} ? 0
        : $plan->{offset} < 0 ? length($frame) + $plan->{offset}
        : $plan->{offset};

    if ($what eq 'drop' || $what eq 'split') {
        $self->_write($end, substr $frame, 0, $at, '');
        return if $what eq 'drop';
        for my $byte (split //, $frame) {
            $self->_write($end, $byte);
            select undef, undef, undef, 0.0003;
        }
        return;
    }

    if ($plan->{frame} < $end->{frame}) {
        $self->_write($end, $frame);

    } elsif ($what eq 'cut') {
        $self->_write($end, substr $frame, 0, $at);
        $self->_close($end);

    } elsif ($what eq 'delay') {
        $self->_write($end, substr $frame, 0, $at, '');
        select undef, undef, undef, 0.3;
        $self->_write($end, $frame);

    } else {
        substr($frame, $at, 1) ^= "\xff" if $what eq 'flip';
        $self->_write($end, $frame);
    }
}

sub _write {
    my ($self, $end, $bytes) = @_;

    while (length $bytes) {
        my $peer = $end->{peer} or return;
        my $written = syswrite $peer->{socket}, $bytes;
        if (!defined $written) {
            next if $!{EINTR};
            return $self->_close($end);
        }
        substr $bytes, 0, $written, '';
    }
}

1;
