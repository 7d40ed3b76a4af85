#!/usr/bin/perl

# Clients that do not read cost a limited amount of memory, and nobody else.

use strict;
use warnings;

use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;

use Cqrs::Channel;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant { LIMIT => 65536, SLOW => 10 };

my $redis = Cqrs::Services->get->redis;
my $channel = Cqrs::Channel->new($redis);
my $nginx = Cqrs::Nginx->new(http => <<"END")->start;
    cqrs_redis @{[ $redis->url ]};
    cqrs_subscribe_buffer 64k;
    @{[ Cqrs::Channel->conf ]}
END

my $first = $channel->publish({ n => 0 });
my $fast = $channel->subscribe($nginx);
my @slow = map { $channel->subscribe($nginx) } 1 .. SLOW;
$_->next for $fast, @slow;

sub given_up { return scalar(() = $nginx->log =~ /reads too slowly/g) }

my $text = 'x' x 10_000;
my ($n, @wrong) = (0);
while (given_up() < SLOW && $n < 2000) {
    $channel->publish({ n => ++$n, text => $text });
    my $got = $fast->next->{n} // 'none';
    push @wrong, $got if $got ne $n;
}
is(given_up(), SLOW, "who does not read is given up, after $n messages of 10 KB");
is_deeply(\@wrong, [], 'others hear all of it meanwhile');

my @waiting = $nginx->log =~ /(\d+) bytes wait/g;
cmp_ok((sort { $b <=> $a } @waiting)[0], '<=', LIMIT, 'no more waited for them than the limit');

my $behind = pop @slow;
my ($last, $cursor) = (0, $first);
while (my $message = $behind->next(5)) {
    push @wrong, $message->{n} if $message->{n} != $last + 1;
    ($last, $cursor) = @$message{qw(n cursor)};
}
is($behind->close_code, 1013, 'when it reads at last, it learns that it was too slow: 1013');
is($behind->close_reason, 'too slow', 'in words, too');
is_deeply(\@wrong, [], 'what came before that was whole and in order');
cmp_ok($last, '<', $n, "up to message $last");

# The history holds a thousand; all that was missed is still there.

$behind = $channel->subscribe($nginx, $cursor);
is_deeply([ Cqrs::Channel::numbers($behind, 1 + $n - $last) ],
    [ 'cqrs.subscribed', $last + 1 .. $n ], 'it comes back and gets the rest, more than the limit');

# A client that reads nothing while it catches up is waited for, not given up.

$_->drop for $fast, $behind;
{
    my $before = given_up();
    my $ws = $channel->subscribe($nginx, $first);
    $channel->publish({ n => ++$n, text => $text }) for 1 .. 50;
    is(given_up(), $before, 'history waits for its reader');
    is_deeply([ Cqrs::Channel::numbers($ws, 1 + $n) ], [ 'cqrs.subscribed', 1 .. $n ],
        'and is followed by what was published meanwhile');
}

# Pings are messages, too.

{
    my $ws = $channel->subscribe($nginx);
    $ws->next;
    setsockopt($ws->socket, SOL_SOCKET, SO_RCVBUF, 4096);
    my $before = given_up();
    $ws->socket->blocking(0);
    local $SIG{PIPE} = 'IGNORE';
    my $pings = "\x89\xfdabcd" . ("\0" x 125);
    wait_until {
        $ws->socket->syswrite($pings x 100);
        given_up() > $before;
    } 30, 'the log';
    pass('who pings and does not read is given up');
}

$_->drop for @slow;
$nginx->stop;
done_testing;
