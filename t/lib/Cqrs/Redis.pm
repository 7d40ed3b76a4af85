package Cqrs::Redis;

# A logical database of Redis, and a connection to it.  See Cqrs::Services.
#
#   $redis->url                           redis://127.0.0.1:PORT/N
#   $redis->command('XADD', 'key', ...)   the reply: text, number, undef or a
#                                         reference to an array; dies on errors
#   $redis->send(...); $redis->read($timeout)
#                                         apart, for SUBSCRIBE; undef at timeout
#
# Channels are shared by all logical databases: choose names of your own.

use strict;
use warnings;

use Carp qw(croak);
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

use constant DATABASES => 1000;

sub new {
    my ($class, $services) = @_;

    my $self = bless { port => $services->env('REDIS_PORT'), db => 0 }, $class;
    my $db = 1 + $self->command('INCR', 'databases') % (DATABASES - 1);

    $self->close;
    $self->{db} = $db;
    $self->command('FLUSHDB');

    return $self;
}

sub port { return $_[0]{port} }
sub db   { return $_[0]{db} }
sub url  { return "redis://127.0.0.1:$_[0]{port}/$_[0]{db}" }

# Another connection to the same logical database.
sub clone {
    my ($self) = @_;

    return bless { port => $self->{port}, db => $self->{db} }, ref $self;
}

sub command {
    my ($self, @words) = @_;

    # A forked process must not share the connection, and a server that was
    # restarted has closed it.
    $self->close if $self->{socket}
        && ($self->{owner} != $$ || IO::Select->new($self->{socket})->can_read(0));

    $self->send(@words);

    return $self->read(10) if @words;
}

sub send {
    my ($self, @words) = @_;

    $self->_connect unless $self->{socket};
    $self->_write(@words);
}

sub read {
    my ($self, $timeout) = @_;

    my $reply;
    my $ok = eval {
        local $self->{deadline} = time + $timeout;
        $reply = $self->_reply;
        1;
    };
    return $reply if $ok;
    return undef if $@ =~ /^timeout/ && $self->{buffer} eq '';
    croak "redis: $@";
}

sub close {
    my ($self) = @_;

    delete $self->{socket};
}

sub _connect {
    my ($self) = @_;

    $self->{socket} = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $self->{port},
    ) or croak "redis: $@";
    $self->{buffer} = '';
    $self->{owner} = $$;

    if ($self->{db}) {
        $self->_write('SELECT', $self->{db});
        $self->read(10);
    }
}

sub _write {
    my ($self, @words) = @_;

    my $bytes = '*' . @words . "\r\n";
    for my $word (@words) {
        my $octets = $word;
        utf8::encode($octets) if utf8::is_utf8($octets);
        $bytes .= '$' . length($octets) . "\r\n$octets\r\n";
    }

    local $SIG{PIPE} = 'IGNORE';
    $self->{socket}->syswrite($bytes) // croak "redis: $!";
}

sub _reply {
    my ($self) = @_;

    my $line = $self->_line;
    my $kind = substr $line, 0, 1, '';

    return $line     if $kind eq '+';
    return $line + 0 if $kind eq ':';
    die "$line\n"    if $kind eq '-';

    return undef if $line < 0;
    return [ map { $self->_reply } 1 .. $line ] if $kind eq '*';

    $self->_fill until length $self->{buffer} >= $line + 2;
    my $bytes = substr $self->{buffer}, 0, $line, '';
    substr $self->{buffer}, 0, 2, '';

    return $bytes;
}

sub _line {
    my ($self) = @_;

    $self->_fill until $self->{buffer} =~ s/^(.*?)\r\n//s;

    return $1;
}

sub _fill {
    my ($self) = @_;

    my $left = $self->{deadline} - time;
    die "timeout\n"
        unless IO::Select->new($self->{socket})->can_read($left > 0 ? $left : 0);

    my $read = $self->{socket}->sysread($self->{buffer}, 65536,
        length $self->{buffer});
    if (!$read) {
        $self->close;
        die "the connection was closed\n";
    }
}

1;
