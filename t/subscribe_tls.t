#!/usr/bin/perl

# WebSocket over TLS, behind a proxy that speaks it; and the proxy alone.

use strict;
use warnings;

use Test::More;

use Cqrs::Channel;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);
use Cqrs::WebSocket;

my $redis = Cqrs::Services->get->redis;
my $channel = Cqrs::Channel->new($redis);
my $nginx = Cqrs::Nginx->new(http => <<"END");
    proxy_http_version 1.1;
    proxy_set_header   Host \$http_host;
    proxy_set_header   Upgrade \$http_upgrade;
    proxy_set_header   Connection upgrade;

    server {
        listen 127.0.0.1:%PORT%;
        location = /to { proxy_pass https://127.0.0.1:%PORT2%; }
    }

    server {
        listen 127.0.0.1:%PORT2% ssl;
        ssl_certificate     %DIR%/tls.crt;
        ssl_certificate_key %DIR%/tls.key;
        cqrs_redis            @{[ $redis->url ]};
        cqrs_subscribe_buffer 64k;
        @{[ Cqrs::Channel->conf ]}
    }
END
system('openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost'
    . " -keyout @{[ $nginx->dir ]}/tls.key -out @{[ $nginx->dir ]}/tls.crt 2>/dev/null") == 0
    or die 'openssl';
chmod 0644, $nginx->dir . '/tls.key';
$nginx->start;

my $ws = $channel->subscribe($nginx);
is($ws->status, 101, 'a subscriber over TLS is accepted');
is($ws->next->{type}, 'cqrs.subscribed', 'and hears where it stands');

my ($cursor) = $channel->publish_many(1 .. 500);
is_deeply([ Cqrs::Channel::numbers($ws, 500) ], [ 1 .. 500 ], 'messages arrive');

$channel->publish({ text => 'x' x 2_000_000 });
is(length $ws->next->{text}, 2_000_000, 'large ones, too');

$ws->ping('hello');
my $frame = $ws->next_frame(5);
$frame = $ws->next_frame(5) while $frame && $frame->{opcode} != 10;
is($frame->{payload}, 'hello', 'a ping is answered');

{
    my $other = $channel->subscribe($nginx, $cursor);
    is_deeply([ Cqrs::Channel::numbers($other, 500) ], [ 'cqrs.subscribed', 2 .. 500 ],
        'history, too');
    $other->send(1, 'hello');
    $other->next_frame(5) until defined $other->close_code;
    is($other->close_code, 1003, 'a wrong frame is refused');
    is($ws->close(1000), 1000, 'close is answered');
}

{
    my @ws = map { $channel->subscribe($nginx) } 1 .. 4;
    $_->next for @ws;
    $_->drop for @ws[ 0, 1 ];
    $nginx->reload;
    is($ws[2]->next(5), undef, 'a reload ends it');
    is($ws[2]->close_code, 1012, 'with 1012');
    wait_until { !$nginx->exiting_pids } 10, 'the old worker to leave';
}

wait_until { $channel->subscribers == 0 } 10, 'the last one to have left';
pass('nothing is left');
$nginx->stop;
done_testing;
