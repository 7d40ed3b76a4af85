#!/usr/bin/perl

# Who may: tokens of clients, and our own login at Redis.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Cqrs::Channel;
use Cqrs::Jwt;
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);
use Cqrs::WebSocket;

my $services = Cqrs::Services->private(only => ['redis']);
my $redis = $services->redis;
my ($port, $db) = ($redis->port, $redis->db);

$redis->command('ACL', 'SETUSER', 'ngi:nx', 'on', '>pass@/word', 'allkeys', '+@all', 'resetchannels',
    '&user:*', '&shared');

my $secret = 'a secret of thirty-two bytes or more';

sub start {
    my ($url) = @_;

    my $nginx = Cqrs::Nginx->new(http => <<"END");
        cqrs_redis $url timeout=1s;

        location = /mine {
            cqrs_jwt_key   HS256 file:%DIR%/secret;
            cqrs_jwt_from  argument:token subprotocol:bearer;
            cqrs_jwt_leeway 1s;
            cqrs_subscribe user:\$cqrs_jwt_sub;
        }
        location = /to {
            cqrs_subscribe \$arg_channel;
        }
END
    Cqrs::Paths::spew($nginx->dir . '/secret', "$secret\n");
    $nginx->configure;

    return $nginx->start;
}

my $nginx = start("redis://ngi%3Anx:pass%40%2Fword\@127.0.0.1:$port/$db");

sub mine {
    my (%claims) = @_;

    my $token = Cqrs::Jwt::token(\%claims, key => $secret);

    return Cqrs::WebSocket->connect(port => $nginx->port, path => "/mine?token=$token");
}

sub to {
    my ($channel) = @_;

    return Cqrs::WebSocket->connect(port => $nginx->port, path => "/to?channel=$channel");
}

{
    my ($alice, $bob) = (mine(sub => 'alice'), mine(sub => 'bob'));
    is($alice->next->{data}{channel}, 'user:alice', 'a token leads to its own channel');
    is($bob->next->{data}{channel}, 'user:bob', 'another to another');
    $redis->command('PUBLISH', 'user:alice', '{"n":1}');
    is_deeply($alice->next, { n => 1 }, 'where its messages come');
    is($bob->next(0.2), undef, 'and those of nobody else');

    is(mine(sub => 'alice', exp => time - 60)->status, 401, 'an expired token is refused');
    is(Cqrs::WebSocket->connect(port => $nginx->port, path => '/mine')->status, 401, 'so is none');
    is(mine(sub => 'a b')->status, 400, 'a user that makes no channel is refused');
    is(mine(sub => 'carol', exp => 4102444800)->status, 101, 'a token may live long');
}

{
    my $token = Cqrs::Jwt::token({ sub => 'erin' }, key => $secret);
    my $offer = sub {
        return Cqrs::WebSocket->connect(port => $nginx->port, path => '/mine',
            headers => { 'Sec-WebSocket-Protocol' => $_[0] });
    };

    my $ws = $offer->("bearer, $token");
    is($ws->next->{data}{channel}, 'user:erin', 'a token may be a subprotocol');
    is($ws->headers->{'sec-websocket-protocol'}, 'bearer', 'the one before it is chosen');
    is($offer->("chat,bearer,$token, x")->status, 101, 'among others');
    is($offer->($_)->status, 401, "no token: $_") for 'bearer', $token, "chat, $token", "$token, bearer";
    ok(!exists mine(sub => 'erin')->headers->{'sec-websocket-protocol'},
        'who offers none is answered none');
}

{
    my $began = time;
    my $ws = mine(sub => 'alice', exp => int($began) + 1);
    is($ws->next->{type}, 'cqrs.subscribed', 'a token that expires soon is accepted');
    is($ws->next(10), undef, 'and its connection ends');
    is($ws->close_code, 1008, 'with 1008');
    is($ws->close_reason, 'token expired', 'and the reason');
    cmp_ok(time, '>=', int($began) + 2, 'not before its time and the leeway');
    cmp_ok(time, '<', $began + 5, 'and soon after');
}

{
    my $shared = to('shared');
    is($shared->next->{type}, 'cqrs.subscribed', 'a channel that Redis allows is subscribed to');
    my $refused = to('other');
    is($refused->status, 403, 'one that it does not is refused');
    like($refused->body, qr/:channel-refused"/, 'as channel-refused');
    is(to('other')->status, 403, 'again and again');
    like($nginx->wait_log(qr/channel "other" was refused/), qr/\[error\].*NOPERM/, 'the log says so');
    $redis->command('PUBLISH', 'shared', '{"n":2}');
    is_deeply($shared->next, { n => 2 }, 'others do not notice');

    $redis->command('ACL', 'SETUSER', 'ngi:nx', 'resetchannels', '&user:*');
    is($shared->next(10), undef, 'when Redis no longer allows a channel, its connections end');
    is($shared->close_code, 1008, 'with 1008');
    my $ws = mine(sub => 'dave');
    is($ws->next->{data}{channel}, 'user:dave', 'and others go on');
}

$nginx->stop;

$redis->command('ACL', 'SETUSER', 'default', 'resetpass', '>only-a-password');
$nginx = start("redis://:only-a-password\@127.0.0.1:$port");
is(to('any')->status, 101, 'a password without a user');
$nginx->stop;

for my $wrong ('', ':wrong@', 'nobody:only-a-password@', 'ngi%3Anx:wrong@') {
    $nginx = start("redis://${wrong}127.0.0.1:$port");
    is(to('any')->status, 503, "redis://${wrong}127.0.0.1 is not let in");
    like($nginx->wait_log(qr/login refused/), qr/\[error\].*"(?:NOAUTH|WRONGPASS)/, 'the log says why');
    unlike($nginx->log, qr/only-a-password/, 'and no password');
    $nginx->stop;
}

$nginx = start("redis://:only-a-password\@127.0.0.1:$port/12345");
is(to('any')->status, 503, 'nor is who asks for a database that is not there');
$nginx->wait_log(qr/login refused, "ERR DB index/);
$nginx->stop;

# Something else may be there.

$nginx = start('redis://127.0.0.1:%PORT%');
is(to('any')->status, 503, 'a server that is no Redis is not listened to');
like($nginx->wait_log(qr/subscriber is away/), qr/its reply was not understood|connection closed/,
    'the log says so');
$nginx->stop;

done_testing;
