package Cqrs::Http;

# An HTTP/1.1 client that keeps its connection and hides nothing.
#
#   my $http = Cqrs::Http->new($port);
#   my $answer = $http->request('POST', '/path', { 'If-Match' => '"3"' }, $body);
#   $answer->{status}, {reason}, {headers}{'command-id'}, {body}
#
# header_list holds [name, value] pairs as they came.  Dies when the connection
# breaks in the middle of an answer; an idle one that the server has closed is
# opened again.  For halves: ->send_request(...), ->read_answer, ->close.

use strict;
use warnings;

use Carp qw(croak);
use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

sub new {
    my ($class, $port, %args) = @_;

    return bless { port => $port, timeout => 30, %args }, $class;
}

sub get {
    my ($self, $path, $headers) = @_;

    return $self->request('GET', $path, $headers);
}

sub request {
    my ($self, $method, @rest) = @_;

    $self->send_request($method, @rest);

    return $self->read_answer;
}

sub send_request {
    my ($self, $method, $path, $headers, $body) = @_;

    my %headers = (Host => 'localhost', %{ $headers || {} });
    if (defined $body) {
        utf8::encode($body) if utf8::is_utf8($body);
        $headers{'Content-Length'} //= length $body;
    }

    my $bytes = "$method $path HTTP/1.1\r\n";
    for my $name (sort keys %headers) {
        my $values = $headers{$name};
        $bytes .= "$name: $_\r\n" for ref $values ? @$values : $values;
    }
    $self->{method} = $method;
    $self->send_bytes("$bytes\r\n" . ($body // ''));
}

# As they are, for requests that are none.
sub send_bytes {
    my ($self, $bytes) = @_;

    $self->_connect;
    local $SIG{PIPE} = 'IGNORE';
    while (length $bytes) {
        my $written = $self->{socket}->syswrite($bytes);
        last unless defined $written;    # the answer may be there all the same
        substr $bytes, 0, $written, '';
    }
}

sub read_answer {
    my ($self) = @_;

    $self->{deadline} = time + $self->{timeout};

    my %answer;
    do {
        %answer = $self->_read_head;
    } while ($answer{status} < 200 && $answer{status} != 101);

    $answer{body} = $self->_read_body(\%answer);
    $self->close if lc($answer{headers}{connection} // '') eq 'close';

    return \%answer;
}

sub close {
    my ($self) = @_;

    delete $self->{socket};
    $self->{buffer} = '';
}

# True if the server has closed the connection.
sub closed {
    my ($self, $timeout) = @_;

    my $socket = $self->{socket} or return 1;
    return 0 unless IO::Select->new($socket)->can_read($timeout // 0);

    return !$socket->sysread($self->{buffer}, 65536, length $self->{buffer});
}

# A connection is not shared with a forked process.
sub _connect {
    my ($self) = @_;

    $self->close if $self->{socket}
        && ($self->{owner} != $$ || (!length $self->{buffer} && $self->closed));
    return if $self->{socket};

    $self->{socket} = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $self->{port},
        Timeout  => $self->{timeout},
    ) or croak "cannot connect to port $self->{port}: $@";
    $self->{socket}->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    $self->{buffer} = '';
    $self->{owner} = $$;
}

sub _read_head {
    my ($self) = @_;

    $self->_fill until $self->{buffer} =~ s/\A(.*?)\r\n\r\n//s;
    my ($line, @fields) = split /\r\n/, $1;

    my ($status, $reason) = $line =~ m{\AHTTP/1\.[01] (\d{3}) ?(.*)\z}
        or $self->_broken("this is no answer: $line");

    my (%headers, @list);
    for (@fields) {
        my ($name, $value) = /\A([^:\s]+):\s*(.*?)\s*\z/
            or $self->_broken("this is no header: $_");
        push @list, [ $name, $value ];
        $headers{ lc $name } = defined $headers{ lc $name }
            ? $headers{ lc $name } . ", $value" : $value;
    }

    return (status => $status, reason => $reason, headers => \%headers,
        header_list => \@list);
}

sub _read_body {
    my ($self, $answer) = @_;

    my $headers = $answer->{headers};
    return '' if ($self->{method} // '') eq 'HEAD' || $answer->{status} =~ /^(101|204|304)$/;
    return $self->_read_chunks if lc($headers->{'transfer-encoding'} // '') eq 'chunked';

    if (defined $headers->{'content-length'}) {
        my $length = $headers->{'content-length'};
        $self->_fill while length $self->{buffer} < $length;
        return substr $self->{buffer}, 0, $length, '';
    }

    1 while $self->_fill(1);
    my $body = $self->{buffer};
    $self->close;

    return $body;
}

sub _read_chunks {
    my ($self) = @_;

    my $body = '';
    while (1) {
        $self->_fill until $self->{buffer} =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//;
        my $length = hex $1;
        $self->_fill while length $self->{buffer} < $length + 2;
        $body .= substr $self->{buffer}, 0, $length, '';
        substr $self->{buffer}, 0, 2, '';
        return $body if $length == 0;
    }
}

# False at the end of the connection, where that is allowed.
sub _fill {
    my ($self, $may_end) = @_;

    my $left = $self->{deadline} - time;
    $self->_broken("no answer within $self->{timeout} s")
        unless $left > 0 && IO::Select->new($self->{socket})->can_read($left);

    my $read = $self->{socket}->sysread($self->{buffer}, 65536,
        length $self->{buffer});
    return 1 if $read;
    return 0 if $may_end;
    $self->_broken('the server closed the connection');
}

sub _broken {
    my ($self, $why) = @_;

    $self->close;
    croak "http: $why";
}

1;
