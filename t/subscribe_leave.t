#!/usr/bin/perl

# Clients leave, in every state a subscription can be in.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER SO_RCVBUF);
use Test::More;

use Cqrs::Channel;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->private(only => ['redis']);
my $redis = $services->redis;
my $nginx = Cqrs::Nginx->new(http => <<"END")->start;
    server {
        listen 127.0.0.1:%PORT%;
        cqrs_redis @{[ $redis->url ]};
        @{[ Cqrs::Channel->conf ]}
        location = /status { stub_status; }
    }
END

# Sends a handshake and waits for nothing.
sub knock {
    my ($channel, $cursor) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $nginx->port)
        or die "connect: $@";
    my $path = '/to?channel=' . $channel->name . (defined $cursor ? "&cursor=$cursor" : '');
    $socket->syswrite("GET $path HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        . "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        . "Sec-WebSocket-Version: 13\r\n\r\n");

    return $socket;
}

sub reset_connection {
    my ($socket) = @_;

    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'l l', 1, 0;
    close $socket;
}

# How many connections nginx has, besides the one that asks.
sub connections {
    my $body = Cqrs::Http->new($nginx->port)->get('/status')->{body};

    return $body =~ /Active connections: (\d+)/ ? $1 - 1 : die $body;
}

sub all_gone {
    my ($what, @channels) = @_;

    wait_until { connections() == 0 } 10, "$what: connections to end";
    wait_until { !grep { $_->subscribers } @channels } 10, "$what: subscriptions to end";
    pass("$what: nothing is left of it");
}

# Each leaves orderly, and once more by a reset.

for my $leave ([ 'leaves', sub { close $_[0] } ], [ 'breaks off', \&reset_connection ]) {
    my ($how, $go) = @$leave;

    {
        my @channels = map { Cqrs::Channel->new($redis) } 1 .. 20;
        $services->pause('redis');
        my @sockets = map { knock($_) } @channels;
        wait_until { connections() == 20 } 5, 'nginx to see them';
        $go->($_) for @sockets[ 0 .. 9 ];
        wait_until { connections() == 10 } 5, 'nginx to see that';
        pass("who $how before Redis has answered is forgotten at once");
        $services->resume('redis');
        $go->($_) for @sockets[ 10 .. 19 ];
        all_gone("$how before the answer", @channels);
    }

    {
        my $channel = Cqrs::Channel->new($redis);
        my ($cursor) = $channel->publish_many(1 .. 100);
        my $keeper = $channel->subscribe($nginx);
        $keeper->next;
        $services->pause('redis');
        my @sockets = map { knock($channel, $cursor) } 1 .. 10;
        wait_until { connections() == 11 } 5, 'nginx to see them';
        $go->($_) for @sockets;
        wait_until { connections() == 1 } 5, 'nginx to see that';
        $services->resume('redis');
        $channel->publish_many(101);
        is_deeply([ Cqrs::Channel::numbers($keeper, 1) ], [101], "$how while history is read");
        $keeper->close;
        all_gone("$how while history is read", $channel);
    }

    {
        my $channel = Cqrs::Channel->new($redis);
        my $cursor = $channel->publish({ n => 0 });
        my $text = 'x' x 50_000;
        $channel->publish({ n => $_, text => $text }) for 1 .. 200;
        my @sockets = map { knock($channel, $cursor) } 1 .. 5;
        sysread $_, my $some, 1000 for @sockets;
        $go->($_) for @sockets;
        all_gone("$how in the middle of the history", $channel);
    }

    {
        my $channel = Cqrs::Channel->new($redis);
        my @ws = map { $channel->subscribe($nginx) } 1 .. 5;
        $_->next for @ws;
        setsockopt $_->socket, SOL_SOCKET, SO_RCVBUF, 8192 for @ws;
        $channel->publish_plain('{"n":"' . 'x' x 4_000_000 . '"}');
        $channel->publish_many(1 .. 5);
        $go->($_->socket) for @ws;
        all_gone("$how while much is to be sent", $channel);
    }

    {
        my $channel = Cqrs::Channel->new($redis);
        my @ws = map { $channel->subscribe($nginx) } 1 .. 5;
        $_->next for @ws;
        $_->send(1, 'a text frame') for @ws;
        $go->($_->socket) for @ws;
        all_gone("$how while it is closed by us", $channel);
    }

    {
        my $channel = Cqrs::Channel->new($redis);
        my @ws = map { $channel->subscribe($nginx) } 1 .. 5;
        $_->next for @ws;
        $redis->command('CLIENT', 'KILL', 'TYPE', 'pubsub');
        $go->($_->socket) for @ws;
        all_gone("$how while nginx connects to Redis", $channel);
    }
}

# The last leaves and the first comes, at the same moment, again and again.

{
    my $channel = Cqrs::Channel->new($redis);
    my @wrong;
    for my $n (1 .. 100) {
        my $ws = $channel->subscribe($nginx);
        push @wrong, $n if $ws->next->{type} ne 'cqrs.subscribed';
        $channel->publish_plain("{\"n\":$n}");
        push @wrong, $n if ($ws->next->{n} // 0) != $n;
        $ws->drop;
    }
    is_deeply(\@wrong, [], 'a channel is left and joined a hundred times in a row');
    all_gone('a hundred times', $channel);
}

# A crowd that comes and goes as it likes, under load.

{
    my @channels = map { Cqrs::Channel->new($redis) } 1 .. 5;
    my ($cursor) = $channels[0]->publish_many(0);
    my $publisher = fork // die "fork: $!";
    if (!$publisher) {
        my @own = map { $_->on($redis->clone) } @channels;
        my $parent = getppid;
        for my $n (1 .. 100_000) {
            $own[ $n % 5 ]->publish_many($n);
            $own[ $n % 5 ]->publish_plain('{}') if $n % 7 == 0;
            POSIX::_exit(0) if getppid != $parent;
        }
        POSIX::_exit(0);
    }
    srand 7;
    my @sockets;
    for (1 .. 2000) {
        push @sockets, knock($channels[ rand 5 ], rand > 0.5 ? $cursor : undef);
        my $one = splice @sockets, rand @sockets, 1 if @sockets > 100 * rand;
        next unless $one;
        sysread $one, my $some, 200 if rand > 0.5;
        syswrite $one, "\x89\x80abcd" if rand > 0.8;
        rand > 0.5 ? reset_connection($one) : close $one;
    }
    reset_connection($_) for @sockets;
    kill TERM => $publisher;
    waitpid $publisher, 0;
    all_gone('two thousand in a crowd', @channels);
}

$nginx->stop;
done_testing;
