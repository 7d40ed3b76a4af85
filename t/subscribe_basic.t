#!/usr/bin/perl

# What a subscriber hears, from the first frame on, with and without a cursor.

use strict;
use warnings;

use POSIX ();
use Test::More;

use Cqrs::Channel;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);
use Cqrs::WebSocket;

my $redis = Cqrs::Services->get->redis;
my $nginx = Cqrs::Nginx->new(workers => 2, http => <<"END")->start;
    cqrs_redis @{[ $redis->url ]};
    @{[ Cqrs::Channel->conf ]}
END

{
    my $channel = Cqrs::Channel->new($redis, 'ümläut');
    my $ws = $channel->subscribe($nginx);
    is($ws->status, 101, 'a subscriber is accepted');
    is(lc $ws->headers->{upgrade}, 'websocket', 'to speak WebSocket');

    my $first = $ws->next;
    is($first->{type}, 'cqrs.subscribed', 'the first frame says so');
    is($first->{specversion}, '1.0', 'as a CloudEvent');
    like($first->{id}, qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/, 'with an id');
    is($first->{source}, '/cqrs', 'and a source');
    is($first->{cursor}, '0-0', 'it says where the history stands');
    my $name = $channel->name;
    utf8::decode($name);
    is($first->{data}{channel}, $name, 'and of which channel');

    my $cursor = $channel->publish({ n => 1 });
    is_deeply($ws->next, { n => 1, cursor => $cursor }, 'a message arrives as published');

    $channel->publish_plain('{"n":2}');
    is_deeply($ws->next, { n => 2 }, 'and one of a bare PUBLISH');

    is($channel->subscribe($nginx)->next->{cursor}, $cursor,
        'the next subscriber is told where the history stands now');

    is($ws->close(1000), 1000, 'close is answered with the same code');
}

{
    my $channel = Cqrs::Channel->new($redis);
    my @sizes = (0, 1, 100, 125, 126, 127, 4096, 65535, 65536, 200_000, 3_000_000);
    my $ws = $channel->subscribe($nginx);
    $ws->next;

    my @got;
    for my $size (@sizes) {
        $channel->publish({ text => 'x' x $size });
        push @got, length $ws->next->{text};
    }
    is_deeply(\@got, \@sizes, 'messages of all sizes arrive');
}

{
    my $alice = Cqrs::Channel->new($redis, 'alice');
    my $bob = Cqrs::Channel->new($redis, 'bob');
    my @alice = map { $alice->subscribe($nginx) } 1 .. 6;
    my @bob = map { $bob->subscribe($nginx) } 1 .. 2;
    $_->next for @alice, @bob;

    cmp_ok($alice->subscribers, '<=', 2, 'Redis has one subscription for each worker');

    $alice->publish_many(1 .. 3);
    $bob->publish_many(4);
    is_deeply([ map { [ Cqrs::Channel::numbers($_, 3) ] } @alice ], [ ([ 1 .. 3 ]) x 6 ],
        'all connections of a user hear the same');
    is_deeply([ map { [ Cqrs::Channel::numbers($_, 1) ] } @bob ], [ ([4]) x 2 ],
        'and another user hears his own');
    $alice->publish_plain('{"n":5}');
    is($bob[0]->next(0.2), undef, 'and nothing else');

    $_->close for @alice[0 .. 4];
    is_deeply([ Cqrs::Channel::numbers($alice[5], 1) ], [5],
        'the last of them still hears when the others have left');
    cmp_ok($alice->subscribers, '==', 1, 'for one subscription in Redis');
    $alice[5]->close;
    wait_until { $alice->subscribers == 0 } 5, 'nobody listens';
    pass('which ends with the last subscriber');

    $alice[0] = $alice->subscribe($nginx);
    $alice[0]->next;
    $alice->publish_many(6);
    is_deeply([ Cqrs::Channel::numbers($alice[0], 1) ], [6], 'and begins again with the next');
}

{
    my $channel = Cqrs::Channel->new($redis);
    my @cursors = $channel->publish_many(1 .. 10);

    my $ws = $channel->subscribe($nginx, $cursors[6]);
    my $first = $ws->next;
    is($first->{type}, 'cqrs.subscribed', 'a subscriber with a cursor is accepted');
    is($first->{cursor}, $cursors[6], 'where it says it stands');
    is_deeply([ Cqrs::Channel::numbers($ws, 3) ], [ 8 .. 10 ], 'and gets what it missed');
    push @cursors, $channel->publish_many(11);
    is_deeply([ Cqrs::Channel::numbers($ws, 1) ], [11], 'and goes on live');

    $ws = $channel->subscribe($nginx, '0-0');
    is($ws->next->{cursor}, '0-0', '0-0 is accepted');
    is_deeply([ Cqrs::Channel::numbers($ws, 11) ], [ 1 .. 11 ], 'and means all that is kept');

    $ws = $channel->subscribe($nginx, $cursors[9] =~ s/-.*//r . '-99999');
    is($ws->next->{type}, 'cqrs.reset', 'a cursor that was never given out is a reset');

    $ws = $channel->subscribe($nginx, '99999999999999-0');
    is($ws->next->{type}, 'cqrs.reset', 'also one of the future');
    push @cursors, $channel->publish_many(12);
    is_deeply([ Cqrs::Channel::numbers($ws, 1) ], [12], 'after which it goes on live');

    my $last = $channel->publish({ n => 13 }, keep => 2);
    $ws = $channel->subscribe($nginx, $cursors[9]);
    $first = $ws->next;
    is($first->{type}, 'cqrs.reset', 'a cursor that is no longer in the history is a reset');
    is($first->{cursor}, $last, 'that says where to go on');

    $channel->forget;
    is($channel->subscribe($nginx, $cursors[11])->next->{type}, 'cqrs.reset',
        'so is one when there is no history any more');
}

{
    my $channel = Cqrs::Channel->new($redis);
    my ($cursor) = $channel->publish_many(1 .. 1000);
    is_deeply([ Cqrs::Channel::numbers($channel->subscribe($nginx, $cursor), 1000) ],
        [ 'cqrs.subscribed', 2 .. 1000 ], 'a long history comes whole and in order');
}

{
    my $channel = Cqrs::Channel->new($redis);
    my $text = 'x' x 20_000;
    my $cursor = $channel->publish({ n => 0 });
    $channel->publish({ n => $_, text => $text }) for 1 .. 200;
    is_deeply([ Cqrs::Channel::numbers($channel->subscribe($nginx, $cursor), 201) ],
        [ 'cqrs.subscribed', 1 .. 200 ],
        'so does one that is larger than the buffer of a connection');
}

{
    my $channel = Cqrs::Channel->new($redis);
    $redis->command('SET', $channel->key, 'no stream');
    my $ws = $channel->subscribe($nginx);
    is($ws->next->{type}, 'cqrs.subscribed', 'what is no history costs only the history');
    $channel->publish_plain('{"n":1}');
    is_deeply([ Cqrs::Channel::numbers($ws, 1) ], [1], 'messages arrive');
    is($channel->subscribe($nginx, '5-5')->next->{type}, 'cqrs.reset', 'and a cursor is a reset');
}

{
    my $channel = Cqrs::Channel->new($redis);
    my $ws = $channel->subscribe($nginx);
    $ws->next;
    $channel->publish_plain("{\"n\":\"\xff\"}");
    is($ws->next->{type}, 'cqrs.reset', 'in place of what is not UTF-8 comes a reset');
    $channel->publish_many(1);
    is_deeply([ Cqrs::Channel::numbers($ws, 1) ], [1], 'and then what comes next');
}

# While messages are published without a pause, subscribers come with cursors.

{
    my $channel = Cqrs::Channel->new($redis);
    my ($cursor) = $channel->publish_many(0);
    my $publisher = fork // die "fork: $!";
    if (!$publisher) {
        my $own = $channel->on($redis->clone);
        $own->publish_many($_ * 5 - 4 .. $_ * 5) for 1 .. 180;
        POSIX::_exit(0);
    }
    my (@wrong, $seen);
    for my $round (1 .. 40) {
        my $ws = $channel->subscribe($nginx, $cursor);
        $ws->next;
        my @got = map { $ws->next // () } 1 .. 1 + $round % 20;
        push @wrong, $_->{n} for grep { $_->{n} != ++$seen } @got;
        $cursor = $got[-1]{cursor} if @got;
        last if $seen >= 900;
    }
    waitpid $publisher, 0;
    is_deeply(\@wrong, [], 'whoever comes back often under load misses nothing, sees nothing twice');
    cmp_ok($seen, '>', 300, "tried with $seen messages");
}

$nginx->stop;
done_testing;
