package Cqrs::Http2;

# HTTP/2 as far as tests need it: several requests on one connection, answered in any
# order.
#
#   my $http2 = Cqrs::Http2->new($port);
#   my $stream = $http2->post('/path', { 'Content-Type' => 'application/json' }, '{}');
#   my ($stream, $status) = $http2->read_answer;
#   $http2->cancel($stream);

use strict;
use warnings;

use Carp qw(croak);
use IO::Select;
use IO::Socket::INET;

use constant { HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, GOAWAY => 7 };
use constant { DATA => 0, END_STREAM => 1, END_HEADERS => 4, ACK => 1, CANCEL => 8 };
use constant TIMEOUT => 20;

# The statuses that have a number of their own in HPACK's table.
my %INDEXED = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404, 14 => 500);

sub new {
    my ($class, $port) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
        or croak "connect: $!";
    my $self = bless { socket => $socket, next => 1, buffer => '' }, $class;
    $self->_write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->_frame(SETTINGS, 0, 0, '');

    return $self;
}

sub post {
    my ($self, $path, $headers, $body) = @_;

    my $stream = $self->{next};
    $self->{next} += 2;

    my @headers = (':method' => 'POST', ':scheme' => 'http', ':path' => $path, ':authority' => 'x',
        map { (lc, $headers->{$_}) } sort keys %$headers);
    my $block = '';
    while (my ($name, $value) = splice @headers, 0, 2) {
        $block .= "\0" . _text($name) . _text($value);
    }
    $self->_frame(HEADERS, END_HEADERS, $stream, $block);
    $self->_frame(DATA, END_STREAM, $stream, $body);

    return $stream;
}

sub read_answer {
    my ($self) = @_;

    while (1) {
        my ($type, $flags, $stream, $payload) = $self->_read_frame;

        return ($stream, _status($payload)) if $type == HEADERS;
        return ($stream, 'reset') if $type == RST_STREAM && unpack('N', $payload);
        croak 'the connection is closed' if $type == GOAWAY;
        $self->_frame(SETTINGS, ACK, 0, '') if $type == SETTINGS && !($flags & ACK);
    }
}

sub cancel {
    my ($self, $stream) = @_;

    $self->_frame(RST_STREAM, 0, $stream, pack 'N', CANCEL);
}

# It is the first header, behind what may be said of the table's size.
sub _status {
    my ($block) = @_;

    $block =~ s/\A[\x20-\x3f]+//;
    my $first = ord $block;

    return $INDEXED{ $first & 0x7f } // croak 'another header first' if $first & 0x80;
    croak 'another header first' if $first != 0x48 && $first != 0x08;

    return substr $block, 2, 3;
}

# Not compressed.  A length of 127 or more is continued, 7 bits a byte.
sub _text {
    my ($text) = @_;

    my $rest = length($text) - 127;
    return chr(length $text) . $text if $rest < 0;

    my $length = chr 127;
    for (; $rest >= 128; $rest >>= 7) { $length .= chr($rest & 127 | 128) }

    return $length . chr($rest) . $text;
}

sub _frame {
    my ($self, $type, $flags, $stream, $payload) = @_;

    $self->_write(substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload);
}

sub _write {
    my ($self, $bytes) = @_;

    (syswrite($self->{socket}, $bytes) // -1) == length $bytes or croak "write: $!";
}

sub _read_frame {
    my ($self) = @_;

    $self->_fill(9);
    my $length = unpack 'N', "\0" . substr $self->{buffer}, 0, 3;
    $self->_fill(9 + $length);
    my ($type, $flags, $stream) = unpack 'x3 CCN', $self->{buffer};

    return ($type, $flags, $stream, substr(substr($self->{buffer}, 0, 9 + $length, ''), 9));
}

sub _fill {
    my ($self, $bytes) = @_;

    while (length $self->{buffer} < $bytes) {
        IO::Select->new($self->{socket})->can_read(TIMEOUT) or croak 'no answer';
        sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer} or croak 'the end';
    }
}

1;
