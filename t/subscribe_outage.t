#!/usr/bin/perl

# Redis goes away, and comes back with all that it knew, or with nothing.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use Cqrs::Channel;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->private(only => ['redis']);
my $redis = $services->redis;

$services->stop('redis');

my $nginx = Cqrs::Nginx->new(http => <<"END")->start;
    cqrs_redis @{[ $redis->url ]};
    @{[ Cqrs::Channel->conf ]}
    location = /plain { return 204; }
END

# Cuts nginx off from Redis and publishes, before anybody can be back.
sub publish_unseen {
    my ($channel, $types, $keep, @messages) = @_;

    my @commands = (
        [ 'SELECT', $redis->db ],
        ['MULTI'],
        (map { [ 'CLIENT', 'KILL', 'TYPE', $_, 'SKIPME', 'yes' ] } @$types),
        [ $channel->publishing([ map { ref ? $_ : { n => $_ } } @messages ], keep => $keep) ],
        ['EXEC'],
    );
    my $bytes = '';
    for my $words (@commands) {
        $bytes .= '*' . @$words . "\r\n" . join '', map { '$' . length($_) . "\r\n$_\r\n" } @$words;
    }

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $redis->port) or die $@;
    $socket->syswrite($bytes);
    my $got = '';
    until ($got =~ /^\*/m) {
        $socket->sysread($got, 4096, length $got) or die 'Redis has gone';
    }
}

sub refused_within {
    my ($limit, $what) = @_;

    my $began = time;
    my $ws = Cqrs::Channel->new($redis)->subscribe($nginx);
    my $took = time - $began;
    is($ws->status, 503, "$what: 503");
    like($ws->body, qr/"urn:ngx-cqrs:problem:redis-unavailable"/, 'that says it is Redis');
    is($ws->headers->{'retry-after'}, 1, 'and when to come again');
    cmp_ok($took, '<', $limit, sprintf 'after %.2f s', $took);
}

sub listens {
    my ($ws, $channel, $number, $what) = @_;

    $channel->publish_many($number);
    is_deeply([ Cqrs::Channel::numbers($ws, 1) ], [$number], $what);
}

sub subscribe {
    my ($channel) = @_;

    my $ws;
    wait_until {
        $ws = $channel->subscribe($nginx);
        $ws->status == 101;
    } 10, 'a subscriber to be accepted';
    $ws->next;

    return $ws;
}

refused_within(2, 'nginx started before Redis');
is(Cqrs::Http->new($nginx->port)->get('/plain')->{status}, 204, 'other locations go on');
is(scalar(() = $nginx->log =~ /\[error\].*subscriber is away/g), 1,
    'the log says it once, not at each attempt');

$services->start('redis');

{
    my $channel = Cqrs::Channel->new($redis);
    my ($ws, $other) = (subscribe($channel), subscribe($channel));
    listens($ws, $channel, 1, 'when Redis has come, subscribers are accepted');
    is_deeply([ Cqrs::Channel::numbers($other, 1) ], [1], 'all of them');

    publish_unseen($channel, ['pubsub'], 1000, 2 .. 200);
    is_deeply([ Cqrs::Channel::numbers($ws, 199) ], [ 2 .. 200 ],
        'what was published while the subscribing connection was broken arrives');
    is_deeply([ Cqrs::Channel::numbers($other, 199) ], [ 2 .. 200 ], 'for all connections');
    is($channel->subscribers, 1, 'Redis has one subscription again');

    publish_unseen($channel, [ 'normal', 'pubsub' ], 1000, 201 .. 203);
    is_deeply([ Cqrs::Channel::numbers($ws, 3) ], [ 201 .. 203 ], 'also when both were broken');
    publish_unseen($channel, ['normal'], 1000, 204);
    is_deeply([ Cqrs::Channel::numbers($ws, 1) ], [204], 'or only the one that reads');

    publish_unseen($channel, ['pubsub'], 5, 205 .. 214);
    my $reset = $ws->next;
    is($reset->{type}, 'cqrs.reset', 'when the history no longer reaches back, that is told');
    is($reset->{cursor}, $redis->command('XREVRANGE', $channel->key, '+', '-')->[0][0],
        'with the place to go on from');
    listens($ws, $channel, 215, 'and then it goes on');
}

{
    my @channels = map { Cqrs::Channel->new($redis) } 1 .. 300;
    my @ws = map { subscribe($_) } @channels;
    $_->publish_many(1) for @channels;
    $_->next for @ws;
    publish_unseen($channels[0], [ 'normal', 'pubsub' ], 1000, 2);
    $_->publish_many(2) for @channels[ 1 .. 299 ];
    is_deeply([ map { Cqrs::Channel::numbers($_, 1) } @ws ], [ (2) x 300 ],
        'hundreds of channels come back together');
}

{
    my $channel = Cqrs::Channel->new($redis);
    my ($ws, $other) = (subscribe($channel), subscribe($channel));
    my $text = 'x' x 2000;
    my @messages = map { { n => $_, text => $text } } 1 .. 900;
    publish_unseen($channel, ['pubsub'], 1000, @messages);
    is_deeply([ Cqrs::Channel::numbers($ws, 900) ], [ 1 .. 900 ],
        'more may be missed than waits for a client otherwise');
    is_deeply([ Cqrs::Channel::numbers($other, 900) ], [ 1 .. 900 ], 'by all of them');
}

{
    my $channel = Cqrs::Channel->new($redis);
    my $ws = subscribe($channel);
    is($channel->subscribers, 1, 'a channel without a history');
    publish_unseen($channel, ['pubsub'], 1000, 1 .. 3);
    is_deeply([ Cqrs::Channel::numbers($ws, 3) ], [ 1 .. 3 ], 'misses nothing either');
}

{
    my $channel = Cqrs::Channel->new($redis);
    my $ws = subscribe($channel);
    listens($ws, $channel, 1, 'Redis is stopped when it has saved its data:');
    $redis->command('SAVE');
    $services->stop('redis');
    refused_within(2, 'stopped');
    is($ws->closed, 0, 'who is connected stays');
    $services->start('redis');
    wait_until { $channel->subscribers == 1 } 10, 'nginx to be back';
    listens($ws, $channel, 2, 'and when Redis is back with its data, just goes on');

    $redis->command('FLUSHALL');
    $redis->command('SAVE');
    $services->kill('redis');
    $services->start('redis');
    is($ws->next->{type}, 'cqrs.reset', 'if Redis has lost its data, a reset says so');
    listens($ws, $channel, 3, 'and then it goes on');
}

# Published through all of it; what the history holds in the end is the truth.

{
    my $channel = Cqrs::Channel->new($redis);
    my $ws = subscribe($channel);
    my $publisher = fork // die "fork: $!";
    if (!$publisher) {
        my $own = $channel->on($redis->clone);
        my $n = 0;
        while ($n < 700) {
            eval { $own->publish_many(++$n); 1 } or select undef, undef, undef, 0.02;
            select undef, undef, undef, 0.002;
        }
        POSIX::_exit(0);
    }
    for (1 .. 3) {
        $ws->next for 1 .. 50;
        eval { $redis->command('SHUTDOWN', 'SAVE') };
        wait_until { !eval { $redis->clone->command('PING') } } 10, 'Redis to be gone';
        $services->start('redis');
        wait_until { eval { $redis->command('PING') } } 10, 'Redis to be back';
    }
    waitpid $publisher, 0;

    my $history = $redis->command('XRANGE', $channel->key, '-', '+');
    cmp_ok(scalar @$history, '>', 600, 'published while Redis was restarted three times');
    my @published = map { $_->[1][1] =~ /"n":(\d+)/ } @$history;

    my @got;
    while (!@got || $got[-1] ne $published[-1]) {
        my $message = $ws->next(10) or last;
        push @got, $message->{n} // $message->{type};
    }
    my %seen = map { $_ => 1 } @got;
    is_deeply(\@got, [ sort { $a <=> $b } keys %seen ], 'all in order, none twice, no reset');
    my @missed = grep { $_ >= $got[0] && !$seen{$_} } @published;
    is_deeply(\@missed, [], 'and nothing that is in the history was missed');
}

{
    my $channel = Cqrs::Channel->new($redis);
    my $ws = subscribe($channel);
    $services->pause('redis');
    refused_within(2, 'Redis hangs');
    $services->resume('redis');
    wait_until { $channel->subscribers == 1 } 10, 'nginx to listen';
    listens($ws, $channel, 1, 'when it goes on, so does who is connected');
    subscribe($channel);
    pass('and others are accepted');

    $services->pause('redis');
    $nginx->wait_log(qr/no sign of life/, 15);
    pass('a Redis that hangs for long is given up');
    $services->resume('redis');
    wait_until { $channel->subscribers == 1 } 10, 'nginx to listen';
    listens($ws, $channel, 2, 'and found again');
}

$nginx->stop;
done_testing;
