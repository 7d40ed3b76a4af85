#!/usr/bin/perl

# What nginx -t refuses, and with which sentence.

use strict;
use warnings;

use Test::More;

use Cqrs::Nginx;

sub check {
    my ($http) = @_;

    return Cqrs::Nginx->new(http => $http)->test_config;
}

sub refused {
    my ($what, $config, $sentence) = @_;

    my ($status, $output) = check($config);
    isnt($status, 0, "refused: $what");
    like($output, $sentence, 'with a sentence');
    unlike($output, qr/secret/, 'that tells no password');
}

for my $good (
    'redis://127.0.0.1',
    'redis://127.0.0.1:6380',
    'redis://127.0.0.1/3',
    'redis://127.0.0.1:6380/3 timeout=200ms',
    'redis://[::1]:6380/0',
    'redis://:secret@127.0.0.1',
    'redis://user:secret@127.0.0.1/',
    'redis://us%40er:se%2Fcr%3Aet@localhost:6380/1',
    'REDIS://127.0.0.1',
) {
    my ($status, $output) = check("cqrs_redis $good; location /x { cqrs_subscribe x; }");
    is($status, 0, "accepted: $good") or diag $output;
}

for my $bad (
    [ '127.0.0.1',                           qr/"cqrs_redis" expects redis:/ ],
    [ 'rediss://:secret@127.0.0.1',          qr/"cqrs_redis" expects redis:/ ],
    [ 'redis://',                            qr/no host/ ],
    [ 'redis://:secret@',                    qr/no host/ ],
    [ 'redis://:secret@/1',                  qr/no host/ ],
    [ 'redis://secret@127.0.0.1',            qr/no password/ ],
    [ 'redis://secret:@127.0.0.1',           qr/no password/ ],
    [ 'redis://u:secret%4@127.0.0.1',        qr/hexadecimal/ ],
    [ 'redis://u:secret%xx@127.0.0.1',       qr/hexadecimal/ ],
    [ 'redis://:secret@127.0.0.1:port',      qr/invalid port/ ],
    [ 'redis://127.0.0.1:0',                 qr/invalid port/ ],
    [ 'redis://127.0.0.1:70000',             qr/invalid port/ ],
    [ 'redis://127.0.0.1/x',                 qr/invalid database number "x"/ ],
    [ 'redis://127.0.0.1/-1',                qr/invalid database number "-1"/ ],
    [ 'redis://127.0.0.1/1/2',               qr/invalid database number/ ],
    [ 'redis://:secret@no-such-host.invalid', qr/host not found in "no-such-host.invalid"/ ],
    [ 'redis://127.0.0.1 timeout=0',         qr/invalid parameter "timeout=0"/ ],
    [ 'redis://127.0.0.1 timeout=x',         qr/invalid parameter "timeout=x"/ ],
    [ 'redis://127.0.0.1 pool=4',            qr/invalid parameter "pool=4"/ ],
) {
    my ($url, $sentence) = @$bad;
    refused("cqrs_redis $url", "cqrs_redis $url;", $sentence);
}

my $redis = 'cqrs_redis redis://127.0.0.1;';

refused('a location without cqrs_redis', 'location /x { cqrs_subscribe x; }',
    qr/"cqrs_subscribe" in location "\/x" needs "cqrs_redis"/);
refused('an empty channel', "$redis location /x { cqrs_subscribe ''; }", qr/invalid channel ""/);
refused('a channel with a blank', "$redis location /x { cqrs_subscribe 'a b'; }",
    qr/invalid channel "a b"/);
refused('a variable that is not there', "$redis location /x { cqrs_subscribe \$nothing; }",
    qr/unknown "nothing" variable/);
refused('two channels', "$redis location /x { cqrs_subscribe x; cqrs_subscribe y; }",
    qr/"cqrs_subscribe" directive is duplicate/);
refused('a channel of a server', "$redis cqrs_subscribe x;", qr/not allowed here/);
refused('two servers', "$redis $redis", qr/"cqrs_redis" directive is duplicate/);

for my $origin ('a.example', '://a.example', 'https://', 'https://a.example/', '**') {
    refused("origin $origin", "cqrs_subscribe_origins $origin;", qr/invalid origin "/);
}
refused('origins twice', 'cqrs_subscribe_origins *; cqrs_subscribe_origins *;', qr/is duplicate/);
refused('a ping without a pause', 'cqrs_subscribe_ping 0;', qr/"cqrs_subscribe_ping" must not be 0/);
refused('a wrong size',  'cqrs_subscribe_buffer x;', qr/invalid value/);
refused('a wrong time',  'cqrs_subscribe_drain x;',  qr/invalid value/);

my ($status, $output) = check(<<'END');
    cqrs_redis redis://127.0.0.1;
    cqrs_subscribe_buffer 64k;
    cqrs_subscribe_ping 10s;
    cqrs_subscribe_drain 500ms;
    cqrs_subscribe_origins https://a.example http://b.example:8080 *;
    location /x { cqrs_subscribe x-$arg_y; }
    location /y {
        cqrs_redis redis://127.0.0.1:6380;
        cqrs_subscribe_buffer 1m;
        cqrs_subscribe y;
    }
END
is($status, 0, 'all of them together are accepted') or diag $output;

done_testing;
