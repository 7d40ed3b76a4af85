package Cqrs::Amqp;

# As much AMQP 0-9-1 as it takes to ask a queue how many messages are ready, which
# RabbitMQ's HTTP API only knows as of a moment ago, to publish with confirms, which
# it does one at a time, and to take thousands of messages, for which it takes minutes.
#
#   my $amqp = Cqrs::Amqp->connect($port, $vhost);    dies when it can't
#   $amqp->confirm_select;
#   $amqp->publish($exchange, $key, \%properties, \%headers, $body);   its number: 1, 2...
#   my $number = $amqp->confirmed($timeout);     up to which all are confirmed
#
#   my @bodies = Cqrs::Amqp::take($port, $vhost, $queue, $most);    see Cqrs::Vhost
#
# The methods of a connection die when it is lost.

use strict;
use warnings;

use Carp qw(croak);
use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use constant {
    TIMEOUT     => 10,
    FRAME_END   => 0xCE,

    START       => '10.10',
    TUNE        => '10.30',
    OPEN_OK     => '10.41',
    CHANNEL_OK  => '20.11',
    CLOSE_OK    => '20.41',
    DECLARE_OK  => '50.11',
    SELECT_OK   => '85.11',
    ACK         => '60.80',
    NACK        => '60.120',
    RETURN      => '60.50',
    QOS_OK      => '60.11',
    CONSUME_OK  => '60.21',
    CANCEL_OK   => '60.31',
    DELIVER     => '60.60',
};

# Passive declaration; undef if there is no such queue.
sub queue_depth {
    my ($port, $vhost, $queue) = @_;

    return _depth(__PACKAGE__->connect($port, $vhost), $queue);
}

sub _depth {
    my ($c, $queue) = @_;

    $c->{deadline} = time + TIMEOUT;
    _method($c, 1, 50, 10, pack('n', 0) . _short($queue) . "\x01" . pack('N', 0));
    my ($method, $arguments) = _read($c);
    return undef if $method ne DECLARE_OK;

    return unpack 'x' . (1 + length $queue) . ' N', $arguments;
}

# The bodies of the messages that are ready, at most so many; they are removed.
sub take {
    my ($port, $vhost, $queue, $most) = @_;

    my $c = __PACKAGE__->connect($port, $vhost);
    my $count = _depth($c, $queue) // croak "amqp: there is no queue $queue";
    $count = $most if $count > $most;
    return unless $count;

    # so many and no more: none is acknowledged before the consumer is gone

    _method($c, 1, 60, 10, pack('N n C', 0, $count, 0));
    _expect($c, QOS_OK);
    _method($c, 1, 60, 20, pack('n', 0) . _short($queue) . _short('taker') . "\0" . pack('N', 0));
    _expect($c, CONSUME_OK);

    my @bodies;
    while (@bodies < $count) {
        $c->{deadline} = time + TIMEOUT;
        _expect($c, DELIVER);
        my (undef, $header) = _frame_of($c);
        my $size = unpack 'x4 Q>', $header;
        my $body = '';
        $body .= (_frame_of($c))[1] while length $body < $size;
        push @bodies, $body;
    }

    $c->{deadline} = time + TIMEOUT;
    _method($c, 1, 60, 30, _short('taker') . "\0");
    _expect($c, CANCEL_OK);
    _method($c, 1, 60, 80, pack('Q> C', $count, 1));
    _method($c, 1, 20, 40, pack('n', 200) . _short('') . pack('n n', 0, 0));
    _expect($c, CLOSE_OK);

    return @bodies;
}

sub connect {
    my ($class, $port, $vhost) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
        or croak "amqp: $@";
    $socket->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    my $c = bless { socket => $socket, buffer => '', deadline => time + TIMEOUT }, $class;

    _write($c, "AMQP\0\0\x09\x01");
    _expect($c, START);
    _method($c, 0, 10, 11, pack('N', 0) . _short('PLAIN') . _long("\0guest\0guest")
        . _short('en_US'));
    my $tune = _expect($c, TUNE);
    my ($channels, $frame) = unpack 'n N', $tune;
    _method($c, 0, 10, 31, pack('n N n', $channels, $frame, 0));
    _method($c, 0, 10, 40, _short($vhost) . _short('') . "\0");
    _expect($c, OPEN_OK);
    _method($c, 1, 20, 10, _short(''));
    _expect($c, CHANNEL_OK);

    return $c;
}

sub confirm_select {
    my ($c) = @_;

    @$c{qw(published acked deadline)} = (0, {}, time + TIMEOUT);
    $c->{confirmed} = 0;
    _method($c, 1, 85, 10, "\0");
    _expect($c, SELECT_OK);
}

# Mandatory and persistent.  properties: content_type, message_id, timestamp, type.
sub publish {
    my ($c, $exchange, $key, $properties, $headers, $body) = @_;

    my $table = join '', map { _short($_) . 'S' . _long($headers->{$_}) } sort keys %$headers;
    my $header = pack('n n Q> n', 60, 0, length $body, 0b1011_0000_1110_0000)
        . _short($properties->{content_type} // 'application/json')
        . _long($table)
        . "\x02"
        . _short($properties->{message_id})
        . pack('Q>', $properties->{timestamp} // time)
        . _short($properties->{type});

    _write($c, _frame(1, pack('n n n', 60, 40, 0) . _short($exchange) . _short($key) . "\x01")
        . _frame(2, $header) . _frame(3, $body));

    return ++$c->{published};
}

# Reads what is there, waits for it at most so long; up to which number all are
# confirmed.
sub confirmed {
    my ($c, $timeout) = @_;

    while (length $c->{buffer} || IO::Select->new($c->{socket})->can_read($timeout)) {
        $c->{deadline} = time + TIMEOUT;
        my ($method, $arguments) = _read($c);
        my ($tag, $multiple) = unpack 'Q> C', $arguments;

        croak 'amqp: a message was returned'   if $method eq RETURN;
        croak 'amqp: a message was refused'    if $method eq NACK;
        croak 'amqp: the connection is closed' if $method ne ACK;

        $c->{acked}{$_} = 1 for $multiple ? $c->{confirmed} + 1 .. $tag : $tag;
        $c->{confirmed}++ while delete $c->{acked}{ $c->{confirmed} + 1 };
        $timeout = 0;
    }

    return $c->{confirmed};
}

sub _short { my ($text) = @_; return pack 'C/a*', $text }
sub _long  { my ($text) = @_; return pack 'N/a*', $text }

sub _method {
    my ($c, $channel, $class, $method, $arguments) = @_;

    my $payload = pack('n n', $class, $method) . $arguments;
    _write($c, pack('C n N', 1, $channel, length $payload) . $payload . chr FRAME_END);
}

sub _frame {
    my ($type, $payload) = @_;

    return pack('C n N', $type, 1, length $payload) . $payload . chr FRAME_END;
}

sub _write {
    my ($c, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';
    $c->{socket}->syswrite($bytes) // croak "amqp: $!";
}

sub _expect {
    my ($c, $wanted) = @_;

    my ($method, $arguments) = _read($c);
    croak "amqp: got method $method, not $wanted" if $method ne $wanted;

    return $arguments;
}

# The next method frame: its name as "class.method", its arguments.
sub _read {
    my ($c) = @_;

    while (1) {
        my ($type, $payload) = _frame_of($c);
        next if $type != 1;
        my ($class, $method) = unpack 'n n', $payload;

        return ("$class.$method", substr $payload, 4);
    }
}

# The next frame of any kind: its type, its payload.
sub _frame_of {
    my ($c) = @_;

    _fill($c, 7);
    my ($type, $channel, $length) = unpack 'C n N', $c->{buffer};
    _fill($c, 7 + $length + 1);
    my $payload = substr $c->{buffer}, 7, $length;
    substr $c->{buffer}, 0, 7 + $length + 1, '';

    return ($type, $payload);
}

sub _fill {
    my ($c, $length) = @_;

    while (length $c->{buffer} < $length) {
        my $left = $c->{deadline} - time;
        croak 'amqp: no answer'
            if $left <= 0 || !IO::Select->new($c->{socket})->can_read($left);
        $c->{socket}->sysread($c->{buffer}, 65536, length $c->{buffer})
            or croak 'amqp: the connection was closed';
    }
}

1;
