#!/usr/bin/perl

# nginx -s reload and quit, with subscribers, while messages are published.

use strict;
use warnings;

use IO::Select;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Cqrs::Channel;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant { CLIENTS => 24, MESSAGES => 1500, DRAIN => 1 };

my $redis = Cqrs::Services->get->redis;
my @channels = map { Cqrs::Channel->new($redis, "c$_") } 1 .. 4;
my $nginx = Cqrs::Nginx->new(workers => 2, http => <<"END")->start;
    cqrs_redis @{[ $redis->url ]};
    cqrs_subscribe_drain @{[ DRAIN ]}s;
    @{[ Cqrs::Channel->conf ]}
END

my (@ended, %codes);

# A client that does what the page of an application would.
sub client_connect {
    my ($client) = @_;

    my $ws = $client->{channel}->subscribe($nginx, $client->{cursor});
    die 'refused with ' . $ws->status if $ws->status != 101;
    my $hello = $ws->next(5) // die 'no first frame';
    push @{ $client->{wrong} }, $hello->{type} if $hello->{type} ne 'cqrs.subscribed';
    $client->{cursor} = $hello->{cursor};
    $client->{ws} = $ws;
}

sub client_read {
    my ($client) = @_;

    while (my $message = $client->{ws}->next(0)) {
        push @{ $client->{wrong} }, $message->{n} if $message->{n} != ++$client->{seen};
        $client->{cursor} = $message->{cursor};
    }
    return if !$client->{ws}->closed;

    push @ended, time;
    $codes{ $client->{ws}->close_code // 'none' }++;
    client_connect($client);
}

my @clients = map { { channel => $channels[ $_ % 4 ], seen => 0, wrong => [] } } 1 .. CLIENTS;
client_connect($_) for @clients;

my $publisher = fork // die "fork: $!";
if (!$publisher) {
    my @own = map { $_->on($redis->clone) } @channels;
    for my $n (1 .. MESSAGES) {
        $_->publish_many($n) for @own;
        sleep 0.002;
    }
    POSIX::_exit(0);
}

my ($reloads, $until) = (0, time + 60);
while (time < $until && grep { $_->{seen} < MESSAGES } @clients) {
    my %of = map { $_->{ws}->socket => $_ } @clients;
    IO::Select->new(map { $_->{ws}->socket } @clients)->can_read(0.1);
    client_read($_) for @clients;

    if ($reloads < 2 && $clients[0]{seen} > 300 * (1 + 2 * $reloads)) {
        $reloads++;
        $nginx->reload;
    }
}
waitpid $publisher, 0;

is($reloads, 2, 'reloaded twice while messages were published');
is_deeply([ map { $_->{seen} } @clients ], [ (MESSAGES) x CLIENTS ], 'every client got every message');
is_deeply([ map { @{ $_->{wrong} } } @clients ], [], 'in order, none twice, without a reset');
is_deeply(\%codes, { 1012 => 2 * CLIENTS }, 'each was closed with 1012 at each reload');
cmp_ok($ended[ CLIENTS - 1 ] - $ended[0], '>', DRAIN / 4, 'not all at once');
cmp_ok($ended[ CLIENTS - 1 ] - $ended[0], '<', DRAIN + 1, 'but soon');
wait_until { !$nginx->exiting_pids } 10, 'the old workers to leave';
pass('the old workers leave');
is_deeply([ map { $_->subscribers <= 2 } @channels ], [ (1) x 4 ], 'and their subscriptions with them');

# A client that does not answer the close frame does not keep a worker.

my $mute = $channels[0]->subscribe($nginx);
$mute->next;
my $began = time;
$nginx->reload;
wait_until { !$nginx->exiting_pids } 10, 'the old worker to leave';
cmp_ok(time - $began, '<', DRAIN + 4, 'a client that does not say goodbye holds nothing up');

# A request that waits for Redis is answered before its worker goes.

my $waiting = fork // die "fork: $!";
if (!$waiting) {
    my $ws = $channels[1]->subscribe($nginx);
    POSIX::_exit($ws->status == 101 && $ws->next->{type} eq 'cqrs.subscribed' ? 0 : 1);
}
$nginx->reload;
waitpid $waiting, 0;
is($?, 0, 'who comes during a reload is served');

my $ws = $channels[1]->subscribe($nginx);
$ws->next;
$nginx->signal('QUIT');
is($ws->next(10), undef, 'when nginx quits, connections end');
is($ws->close_code, 1012, 'with 1012');
$nginx->stop;

# An operator may not want to wait so long.

$nginx = Cqrs::Nginx->new(main => 'worker_shutdown_timeout 200ms;', http => <<"END")->start;
    cqrs_redis @{[ $redis->url ]};
    cqrs_subscribe_drain 60s;
    @{[ Cqrs::Channel->conf ]}
END
my @ws = map { $channels[2]->subscribe($nginx) } 1 .. 5;
$_->next for @ws;
$began = time;
$nginx->stop;
cmp_ok(time - $began, '<', 5, 'worker_shutdown_timeout ends what is left');
is_deeply([ map { $_->next(1) // 'end' } @ws ], [ ('end') x 5 ], 'all of it');

done_testing;
