package Cqrs::Channel;

# A channel that a test publishes to, as docs/wire.md says, and listens to.
#
#   my $channel = Cqrs::Channel->new($redis, 'alice');
#   my $cursor  = $channel->publish({ n => 1 });     history and PUBLISH in one
#   my @cursors = $channel->publish_many(1 .. 100);  the same for { n => 1 }...
#   $channel->publish_plain('{"n":2}');              PUBLISH alone
#   $channel->subscribers;                           as Redis counts them
#   $channel->forget;                                deletes the history
#
#   my $ws = $channel->subscribe($nginx, $cursor);   Cqrs::WebSocket, in a
#                                                    location = Cqrs::Channel->conf
#   my @n  = Cqrs::Channel::numbers($ws, $count);    the n of so many messages
#
# The name gets something in front that makes it this test's own, since all
# logical databases share the channels: ->name.

use strict;
use warnings;

use JSON ();

use Cqrs::WebSocket;

my $number = 0;

my $SCRIPT = <<'LUA';
local ids = {}
for i = 3, #ARGV do
    local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'm', ARGV[i])
    local body = string.sub(ARGV[i], 1, -2) .. ',"cursor":"' .. id .. '"}'
    redis.call('PUBLISH', ARGV[1], body)
    ids[#ids + 1] = id
end
return ids
LUA

sub new {
    my ($class, $redis, $name) = @_;

    return bless {
        redis => $redis,
        name  => sprintf('t%d-%d-%s', $$, ++$number, $name // 'channel'),
    }, $class;
}

# The same channel over another connection to Redis.
sub on {
    my ($self, $redis) = @_;

    return bless { %$self, redis => $redis }, ref $self;
}

sub name { return $_[0]{name} }
sub key  { return "cqrs:history:$_[0]{name}" }

# keep: how many messages the history has at most.
sub publish {
    my ($self, $message, %options) = @_;

    return $self->{redis}->command($self->publishing([$message], %options))->[0];
}

sub publish_many {
    my ($self, @numbers) = @_;

    return @{ $self->{redis}->command($self->publishing([ map { { n => $_ } } @numbers ])) };
}

# The words of the command itself.
sub publishing {
    my ($self, $messages, %options) = @_;

    my $json = JSON->new->canonical->utf8;

    return ('EVAL', $SCRIPT, 1, $self->key, $self->name, $options{keep} // 1000,
        map { $json->encode($_) } @$messages);
}

sub publish_plain {
    my ($self, $bytes) = @_;

    return $self->{redis}->command('PUBLISH', $self->name, $bytes);
}

sub subscribers {
    my ($self) = @_;

    return $self->{redis}->command('PUBSUB', 'NUMSUB', $self->name)->[1];
}

sub subscribe {
    my ($self, $nginx, $cursor, %args) = @_;

    my $path = '/to?channel=' . $self->name;
    $path .= "&cursor=$cursor" if defined $cursor;

    return Cqrs::WebSocket->connect(port => $nginx->port, path => $path, %args);
}

# What belongs into a location with that path.
sub conf {
    return 'location = /to { cqrs_subscribe $arg_channel; }';
}

# Reads until there are enough, or nothing comes any more.  Frames of our own
# count as their types.
sub numbers {
    my ($ws, $count) = @_;

    my @numbers;
    while (@numbers < $count) {
        my $message = $ws->next(@numbers ? 5 : 10) or last;
        push @numbers, $message->{n} // $message->{type};
    }

    return @numbers;
}

sub forget {
    my ($self) = @_;

    return $self->{redis}->command('DEL', $self->key);
}

1;
