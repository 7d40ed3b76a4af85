#!/usr/bin/perl

use strict;
use warnings;

use Test::More;

use Cqrs::Channel;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);
use Cqrs::WebSocket;

my $redis = Cqrs::Services->get->redis;
my $alice = Cqrs::Channel->new($redis, 'alice');
my $bob = Cqrs::Channel->new($redis, 'bob');

my $nginx = Cqrs::Nginx->new(http => <<"CONFIG")->start;
    cqrs_redis @{[ $redis->url ]};

    location = /to {
        cqrs_subscribe \$arg_channel;
    }
CONFIG

sub subscribe {
    my ($channel, $cursor, %args) = @_;

    my $path = '/to?channel=' . $channel->name;
    $path .= "&cursor=$cursor" if defined $cursor;

    return Cqrs::WebSocket->connect(port => $nginx->port, path => $path, %args);
}

{
    my $ws = subscribe($alice);
    is($ws->status, 101, 'a subscriber is accepted');diag($ws->body);

    my $first = $ws->next;
    is($first->{type}, 'cqrs.subscribed', 'the first frame says so');
    is($first->{cursor}, '0-0', 'and where the history stands');
    is($first->{data}{channel}, $alice->name, 'and of which channel');

    my $cursor = $alice->publish({ n => 1 });
    is_deeply($ws->next, { n => 1, cursor => $cursor }, 'a message arrives');
    is($ws->close(1000), 1000, 'close is answered with the same code');
    wait_until { $alice->subscribers == 0 } 5, 'the last one has left';
    pass('when the last subscriber leaves, Redis is told');
}

$nginx->stop;
done_testing;
