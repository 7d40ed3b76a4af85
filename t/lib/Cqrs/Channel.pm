package Cqrs::Channel;

# A channel that a test publishes to, as docs/wire.md says.
#
#   my $channel = Cqrs::Channel->new($redis, 'user:alice');
#   my $cursor  = $channel->publish({ n => 1 });     history and PUBLISH in one
#   $channel->publish_plain('{"n":2}');              PUBLISH alone
#   $channel->subscribers;                           as Redis counts them
#   $channel->forget;                                deletes the history
#
# The name gets something in front that makes it this test's own, since all
# logical databases share the channels: ->name.

use strict;
use warnings;

use JSON ();

my $number = 0;

my $SCRIPT = <<'LUA';
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[3], '*', 'm', ARGV[2])
local body = string.sub(ARGV[2], 1, -2) .. ',"cursor":"' .. id .. '"}'
redis.call('PUBLISH', ARGV[1], body)
return id
LUA

sub new {
    my ($class, $redis, $name) = @_;

    return bless {
        redis => $redis,
        name  => sprintf('t%d-%d-%s', $$, ++$number, $name // 'channel'),
    }, $class;
}

sub name { return $_[0]{name} }
sub key  { return "cqrs:history:$_[0]{name}" }

# keep: how many messages the history has at most.
sub publish {
    my ($self, $message, %options) = @_;

    return $self->{redis}->command('EVAL', $SCRIPT, 1, $self->key, $self->name,
        JSON->new->canonical->encode($message), $options{keep} // 1000);
}

sub publish_plain {
    my ($self, $bytes) = @_;

    return $self->{redis}->command('PUBLISH', $self->name, $bytes);
}

sub subscribers {
    my ($self) = @_;

    return $self->{redis}->command('PUBSUB', 'NUMSUB', $self->name)->[1];
}

sub forget {
    my ($self) = @_;

    return $self->{redis}->command('DEL', $self->key);
}

1;
