#!/usr/bin/perl

# What a client may send, and what happens when it sends something else.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Cqrs::Channel;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);
use Cqrs::WebSocket;

use constant { CONTINUATION => 0, TEXT => 1, BINARY => 2, CLOSE => 8, PING => 9, PONG => 10 };

my $redis = Cqrs::Services->get->redis;
my $channel = Cqrs::Channel->new($redis);
my $nginx = Cqrs::Nginx->new(http => <<"END")->start;
    cqrs_redis @{[ $redis->url ]};
    @{[ Cqrs::Channel->conf ]}

    location = /impatient {
        cqrs_subscribe      \$arg_channel;
        cqrs_subscribe_ping 300ms;
    }
END

sub open_one {
    my $ws = $channel->subscribe($nginx);
    $ws->next or die 'no first frame';

    return $ws;
}

# Sends bytes, and returns the code that the connection is closed with.
sub closed_with {
    my ($ws, @frame) = @_;

    @frame == 1 ? $ws->send_bytes(@frame) : $ws->send(@frame);
    while (!defined $ws->close_code) {
        $ws->next_frame(5) or return 'no close frame';
    }
    wait_until { $ws->closed } 5, 'the connection to end';

    return $ws->close_code;
}

sub ping {
    my ($ws, $text) = @_;

    my $frame = $ws->next_frame(5) or return 'nothing';
    return $frame->{opcode} == PONG ? $frame->{payload} : "opcode $frame->{opcode}";
}

{
    my $ws = open_one();
    for my $text ('', 'hello', "\0\xff" x 62) {
        $ws->ping($text);
        is(ping($ws), $text, 'a ping is answered with its own ' . length($text) . ' bytes');
    }
    $ws->send(PONG, 'nobody asked');
    $ws->ping('still there');
    is(ping($ws), 'still there', 'a pong that nobody asked for is ignored');

    $ws->ping("$_") for 1 .. 50;
    is_deeply([ map { ping($ws) } 1 .. 50 ], [ 1 .. 50 ], 'many pings at once are answered in order');

    my $bytes = "\x89\x85\1\2\3\4" . ("bytes" ^ "\1\2\3\4\1") . "\x8a\x80abcd";
    for my $byte (split //, $bytes x 3) {
        $ws->send_bytes($byte);
        select undef, undef, undef, 0.002;    # in packets of their own
    }
    is_deeply([ map { ping($ws) } 1 .. 3 ], [ ('bytes') x 3 ], 'frames may come byte by byte');

    $channel->publish_many(1);
    is($ws->next->{n}, 1, 'and messages go on');
    $ws->drop;
}

for my $code (1000, 1001, 1011, 3000, 4999) {
    is(closed_with(open_one(), CLOSE, pack('n', $code) . 'bye'), $code,
        "a close frame with $code is answered with $code");
}
is(closed_with(open_one(), CLOSE, ''), 1005, 'one without a code is answered so');
is(closed_with(open_one(), CLOSE, pack('n', 1000) . "\xc3\xa4" x 61), 1000,
    'one with the longest reason, too');

for my $bad (
    [ 'a text frame',                        1003, TEXT, 'hello' ],
    [ 'an empty text frame',                 1003, TEXT, '' ],
    [ 'a binary frame',                      1003, BINARY, 'hello' ],
    [ 'the first of some fragments',         1003, TEXT, 'hel', fin => 0 ],
    [ 'a text frame of 4,096 bytes',         1003, TEXT, 'x' x 4096 ],
    [ 'one of 4,097 bytes',                  1009, TEXT, 'x' x 4097 ],
    [ 'one of 70,000 bytes',                 1009, TEXT, 'x' x 70_000 ],
    [ 'one that says it is huge',            1009, TEXT, 'x', length => 1 << 62 ],
    [ 'one with a negative length',          1002, "\x81\xff\x80\0\0\0\0\0\0\0abcdx" ],
    [ 'a length that is longer than needed', 1002, "\x81\xfe\0\x05abcdhello" ],
    [ 'another',                             1002, "\x81\xff\0\0\0\0\0\0\0\x05abcdhello" ],
    [ 'a continuation of nothing',           1002, CONTINUATION, 'lo' ],
    [ 'a text frame without a mask',         1002, TEXT, 'hello', mask => 0 ],
    [ 'a ping without a mask',               1002, PING, 'hello', mask => 0 ],
    [ 'a close frame without a mask',        1002, CLOSE, pack('n', 1000), mask => 0 ],
    [ 'RSV1',                                1002, PING, '', rsv => 4 ],
    [ 'RSV2',                                1002, PING, '', rsv => 2 ],
    [ 'RSV3',                                1002, TEXT, 'a', rsv => 1 ],
    [ 'a ping in fragments',                 1002, PING, 'a', fin => 0 ],
    [ 'a ping of 126 bytes',                 1002, PING, 'x' x 126 ],
    [ 'a close frame of one byte',           1002, CLOSE, 'x' ],
    [ 'a reason that is not UTF-8',          1007, CLOSE, pack('n', 1000) . "\xff" ],
    [ 'one that ends within a character',    1007, CLOSE, pack('n', 1000) . "a\xc3" ],
    (map { [ "opcode $_", 1002, $_, '' ] } 3 .. 7, 11 .. 15),
    (map { [ "close code $_", 1002, CLOSE, pack 'n', $_ ] }
        0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535),
) {
    my ($what, $code, @frame) = @$bad;
    is(closed_with(open_one(), @frame), $code, "$what: closed with $code");
}

is(closed_with(open_one(), "\x89\x80abcd\x88\x82abcd" . (pack('n', 4000) ^ 'ab') . "\x81\x80abcd"),
    4000, 'what comes after a close frame is ignored');

# Who does not stop after the close frame is cut off.

{
    my $ws = open_one();
    $ws->send(TEXT, 'hello');
    my $began = time;
    while (time - $began < 10 && $ws->send_bytes("\x89\x80abcd")) {
        select undef, undef, undef, 0.05;
    }
    my $took = time - $began;
    cmp_ok($took, '<', 5, 'a client that goes on after a close frame is cut off');
}

# Pings of the server.

sub impatient { Cqrs::WebSocket->connect(port => $nginx->port,
    path => '/impatient?channel=' . $channel->name) }

{
    my ($deaf, $lively) = (impatient(), impatient());
    my ($pings, $ended) = (0);
    my $until = time + 3;
    while (time < $until) {
        my $frame = $lively->next_frame(0.05) or next;
        if ($frame->{opcode} == PING) {
            $pings++;
            $lively->send(PONG, $frame->{payload});
        }
        last if $pings >= 6;
    }
    cmp_ok($pings, '>=', 6, 'a client is pinged again and again');
    my @frames;
    while (my $frame = $deaf->next_frame(5)) {
        push @frames, $frame;
    }
    is($deaf->closed, 1, 'one that does not answer is closed');
    is(scalar(grep { $_->{opcode} == PING } @frames), 1,
        'when the next is due');
    is($lively->closed, 0, 'the other is not');
    like($nginx->wait_log(qr/answers no ping/), qr/\[info\].*client: 127\.0\.0\.1/,
        'the log says why, and of whom');
}

$nginx->stop;
done_testing;
