package Cqrs::WebSocket;

# A WebSocket client that can also misbehave.
#
#   my $ws = Cqrs::WebSocket->connect(port => $port, path => '/notifications',
#                                     headers => { ... });
#   $ws->status                 101, or that of the refusal; ->headers, ->body
#   $ws->next($timeout)         the next text frame, decoded; undef at timeout or
#                               end.  Answers pings on the way.
#   $ws->next_frame($timeout)   { opcode, fin, rsv, masked, payload }, all kinds
#   $ws->send($opcode, $bytes, fin => 0, rsv => 0, mask => 0, length => N)
#   $ws->ping($text), ->close($code, $reason), ->drop
#   $ws->closed                 true when the server has closed; ->close_code,
#                               ->close_reason of its close frame
#
# close() sends the frame, and waits for the server's; drop() just goes away.

use strict;
use warnings;

use Carp qw(croak);
use Digest::SHA qw(sha1_base64);
use Encode ();
use IO::Select;
use IO::Socket::INET;
use JSON ();
use MIME::Base64 qw(encode_base64);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use Cqrs::Http;

use constant {
    TEXT  => 1,
    CLOSE => 8,
    PING  => 9,
    PONG  => 10,
    GUID  => '258EAFA5-E914-47DA-95CA-C5AB0DC85B11',
};

sub connect {
    my ($class, %args) = @_;

    my $http = Cqrs::Http->new($args{port}, timeout => $args{timeout} // 10);
    my $key = encode_base64(join('', map { chr int rand 256 } 1 .. 16), '');

    $http->send_request('GET', $args{path}, {
        'Upgrade'               => 'websocket',
        'Connection'            => 'Upgrade',
        'Sec-WebSocket-Key'     => $key,
        'Sec-WebSocket-Version' => 13,
        %{ $args{headers} || {} },
    });
    my $answer = $http->read_answer;

    my $self = bless { answer => $answer }, $class;
    return $self if $answer->{status} != 101;

    my $accept = sha1_base64(($args{headers}{'Sec-WebSocket-Key'} // $key) . GUID) . '=';
    croak 'websocket: Sec-WebSocket-Accept is wrong'
        if ($answer->{headers}{'sec-websocket-accept'} // '') ne $accept;

    @$self{qw(socket buffer)} = @$http{qw(socket buffer)};

    return $self;
}

sub status  { return $_[0]{answer}{status} }
sub headers { return $_[0]{answer}{headers} }
sub body    { return $_[0]{answer}{body} }

sub socket       { return $_[0]{socket} }
sub close_code   { return $_[0]{close_code} }
sub close_reason { return $_[0]{close_reason} }

# Looks without waiting; frames that came before the end are still to be read.
sub closed {
    my ($self) = @_;

    return 1 unless $self->{socket};
    $self->_fill(0);

    return $self->{ended} && !$self->_whole_frame || 0;
}

sub next {
    my ($self, $timeout) = @_;

    my $end = time + ($timeout // 10);
    my $text = '';
    while (my $frame = $self->next_frame($end - time)) {
        my $opcode = $frame->{opcode};

        if ($opcode == PING) {
            $self->send(PONG, $frame->{payload});
        } elsif ($opcode <= 2) {
            $text .= $frame->{payload};
            return JSON::decode_json($text) if $frame->{fin};
        }
    }

    return undef;
}

sub next_frame {
    my ($self, $timeout) = @_;

    return undef unless $self->{socket};
    my $end = time + ($timeout // 10);
    until ($self->_whole_frame) {
        return undef unless $self->_fill($end - time);
    }
    my $frame = $self->_take_frame;

    if ($frame->{opcode} == CLOSE) {
        my ($code, $reason) = length $frame->{payload} ? unpack 'n a*', $frame->{payload} : ();
        $self->{close_code} = $code // 1005;
        $self->{close_reason} = $reason // '';
        $self->send(CLOSE, substr $frame->{payload}, 0, 2) unless $self->{closing}++;
    }

    return $frame;
}

# The length of head and payload of the frame at the buffer's start, if its head
# is there.
sub _head {
    my ($self) = @_;

    return if length $self->{buffer} < 2;
    my ($first, $second) = unpack 'C C', $self->{buffer};
    my $length = $second & 0x7f;
    my $more = $length == 126 ? 2 : $length == 127 ? 8 : 0;
    my $mask = $second & 0x80 ? 4 : 0;

    return if length $self->{buffer} < 2 + $more + $mask;
    $length = unpack $more == 2 ? 'x2 n' : 'x2 Q>', $self->{buffer} if $more;

    return ($first, $mask, 2 + $more + $mask, $length);
}

sub _whole_frame {
    my ($self) = @_;

    my (undef, undef, $head, $length) = $self->_head or return 0;

    return length $self->{buffer} >= $head + $length;
}

sub _take_frame {
    my ($self) = @_;

    my ($first, $mask, $head, $length) = $self->_head;
    my $payload = substr $self->{buffer}, $head, $length;
    substr $self->{buffer}, 0, $head + $length, '';

    return {
        opcode  => $first & 0x0f,
        fin     => $first >> 7,
        rsv     => $first >> 4 & 7,
        masked  => !!$mask,
        payload => $payload,
    };
}

# Reads what is there; false at timeout or at the end.
sub _fill {
    my ($self, $timeout) = @_;

    return 0 if $self->{ended};
    $timeout = 0 if $timeout < 0;
    return 0 unless IO::Select->new($self->{socket})->can_read($timeout);
    return 1 if $self->{socket}->sysread($self->{buffer}, 65536,
        length $self->{buffer});
    $self->{ended} = 1;

    return 0;
}

# length: what the head says, where that is to be a lie.
sub send {
    my ($self, $opcode, $bytes, %opts) = @_;

    utf8::encode($bytes) if utf8::is_utf8($bytes);
    my $length = $opts{length} // length $bytes;
    my $masked = $opts{mask} // 1;
    my $bit = $masked ? 0x80 : 0;

    my $frame = pack 'C', ($opts{fin} // 1) << 7 | ($opts{rsv} // 0) << 4 | $opcode;
    $frame .= $length < 126 ? pack('C', $bit | $length)
        : $length < 65536   ? pack('C n', $bit | 126, $length)
        :                     pack('C Q>', $bit | 127, $length);
    if ($masked) {
        my $mask = pack 'N', int rand 2**32;
        $frame .= $mask;
        $bytes ^= substr $mask x (1 + length($bytes) / 4), 0, length $bytes;
    }

    return $self->send_bytes($frame . $bytes);
}

# False if the connection is no longer there.
sub send_bytes {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';
    while (length $bytes) {
        my $written = $self->{socket}->syswrite($bytes) or return 0;
        substr $bytes, 0, $written, '';
    }

    return 1;
}

sub ping {
    my ($self, $text) = @_;

    return $self->send(PING, $text // '');
}

# Without a code an empty close frame.  Returns the server's code.
sub close {
    my ($self, $code, $reason) = @_;

    return unless $self->{socket};
    if (!$self->{closing}++) {
        $self->send(CLOSE, defined $code ? pack('n', $code) . ($reason // '') : '');
    }
    my $end = time + 5;
    while (!defined $self->{close_code}) {
        $self->next_frame($end - time) or last;
    }
    $self->drop;

    return $self->{close_code};
}

sub drop {
    my ($self) = @_;

    delete $self->{socket};
}

1;
