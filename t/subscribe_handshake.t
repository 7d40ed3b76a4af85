#!/usr/bin/perl

# Which requests become a WebSocket, and how the others are told why not.

use strict;
use warnings;

use IO::Socket::INET;
use JSON qw(decode_json);
use Test::More;

use Cqrs::Channel;
use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::WebSocket;

my $redis = Cqrs::Services->get->redis;
my $nginx = Cqrs::Nginx->new(http => <<"END")->start;
    limit_conn_zone \$arg_channel zone=one:1m;
    large_client_header_buffers 4 16k;

    server {
        listen 127.0.0.1:%PORT%;
        listen 127.0.0.1:%PORT2% http2;
        cqrs_redis @{[ $redis->url ]};
        @{[ Cqrs::Channel->conf ]}

        location = /open {
            cqrs_subscribe         open;
            cqrs_subscribe_origins https://a.example https://b.example:8443;
        }

        location = /any {
            cqrs_subscribe         any;
            cqrs_subscribe_origins *;
        }

        location = /limited {
            limit_conn one 1;
            cqrs_subscribe limited-\$arg_channel;
        }

        location ~ ^/path/(?s:(.*)) {
            cqrs_subscribe in-\$1;
        }

        location = /if {
            if (\$arg_x) {
                set \$y 1;
            }
            cqrs_subscribe if-\$arg_channel;
        }
    }
END

my %good = (
    'Upgrade'               => 'websocket',
    'Connection'            => 'Upgrade',
    'Sec-WebSocket-Key'     => 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version' => 13,
);
my $channel = Cqrs::Channel->new($redis);
my $path = '/to?channel=' . $channel->name;

sub status {
    my ($where, %headers) = @_;

    my %all = (%good, %headers);
    delete $all{$_} for grep { !defined $all{$_} } keys %all;
    my $http = Cqrs::Http->new($nginx->port);
    $http->send_request($all{':method'} // 'GET', $where,
        { map { $_ => $all{$_} } grep { !/^:/ } keys %all }, $all{':body'});
    my $answer = $http->read_answer;

    return $answer if wantarray;
    return $answer->{status};
}

{
    my ($answer) = status($path);
    is($answer->{status}, 101, 'the handshake of RFC 6455 is accepted');
    is($answer->{headers}{'sec-websocket-accept'}, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        'and answered as there');
    is($answer->{headers}{connection}, 'Upgrade', 'Connection says Upgrade');
}

for my $good (
    [ 'words in any case', Upgrade => 'WebSocket', Connection => 'keep-alive, upgrade' ],
    [ 'a list of protocols', Upgrade => 'foo/2, websocket' ],
    [ 'lines apart', Connection => [ 'keep-alive', 'Upgrade' ] ],
    [ 'extensions and protocols we do not speak', 'Sec-WebSocket-Extensions' => 'permessage-deflate',
        'Sec-WebSocket-Protocol' => 'a, b' ],
    [ 'our own origin', Origin => 'http://localhost' ],
    [ 'our own origin with TLS and a port', Host => 'a.b:8443', Origin => 'https://A.b:8443' ],
) {
    my ($what, @headers) = @$good;
    is(status($path, @headers), 101, "accepted: $what");
}

for my $bad (
    [ 'POST',                     405, 'method-not-allowed', ':method' => 'POST' ],
    [ 'no Upgrade',               426, 'upgrade-required',  Upgrade => undef ],
    [ 'another Upgrade',          426, 'upgrade-required',  Upgrade => 'h2c' ],
    [ 'a word that begins so',    426, 'upgrade-required',  Upgrade => 'websocket2' ],
    [ 'no version',               426, 'upgrade-required',  'Sec-WebSocket-Version' => undef ],
    [ 'version 8',                426, 'upgrade-required',  'Sec-WebSocket-Version' => 8 ],
    [ 'no Connection',            400, 'invalid-handshake', Connection => undef ],
    [ 'Connection: keep-alive',   400, 'invalid-handshake', Connection => 'keep-alive' ],
    [ 'no key',                   400, 'invalid-handshake', 'Sec-WebSocket-Key' => undef ],
    [ 'an empty key',             400, 'invalid-handshake', 'Sec-WebSocket-Key' => '' ],
    [ 'a key of 15 bytes',        400, 'invalid-handshake', 'Sec-WebSocket-Key' => 'AAAAAAAAAAAAAAAAAAAA' ],
    [ 'a key of 17 bytes',        400, 'invalid-handshake', 'Sec-WebSocket-Key' => 'AAAAAAAAAAAAAAAAAAAAAAA=' ],
    [ 'a key of 18 bytes',        400, 'invalid-handshake', 'Sec-WebSocket-Key' => 'A' x 24 ],
    [ 'a key that is no base64',  400, 'invalid-handshake', 'Sec-WebSocket-Key' => '!' x 22 . '==' ],
    [ 'two keys',                 400, 'invalid-handshake', 'Sec-WebSocket-Key' => [ ($good{'Sec-WebSocket-Key'}) x 2 ] ],
    [ 'a body',                   400, 'invalid-handshake', ':body' => 'hello' ],
    [ 'a chunked body',           400, 'invalid-handshake', 'Transfer-Encoding' => 'chunked' ],
    [ 'another origin',           403, 'foreign-origin',    Origin => 'https://evil.example' ],
    [ 'one that ends so',         403, 'foreign-origin',    Origin => 'https://evil-localhost' ],
    [ 'another port',             403, 'foreign-origin',    Origin => 'http://localhost:81' ],
    [ 'origin null',              403, 'foreign-origin',    Origin => 'null' ],
    [ 'an empty origin',          403, 'foreign-origin',    Origin => '' ],
) {
    my ($what, $status, $kind, @headers) = @$bad;
    my ($answer) = status($path, @headers);
    is($answer->{status}, $status, "refused: $what");
    is(decode_json($answer->{body})->{type}, "urn:ngx-cqrs:problem:$kind", "as $kind");
}

is((status($path, Upgrade => undef))[0]{headers}{upgrade}, 'websocket',
    '426 says what the request should upgrade to');
is((status($path, 'Sec-WebSocket-Version' => 8))[0]{headers}{'sec-websocket-version'}, 13,
    'and which version is spoken');
is((status($path, ':method' => 'POST'))[0]{headers}{allow}, 'GET', '405 says what is allowed');

for my $name ('a%20b', 'a%0Ab', 'a%7F', 'a%09', '%FF', '%C3', 'x' x 253) {
    my ($answer) = status("/path/$name");
    is($answer->{status}, 400, "in-$name is no channel");
    like($answer->{body}, qr/:invalid-channel"/, 'as the answer says');
}
is(status('/path/%C3%A4'), 101, 'a name in UTF-8 is one');
is(status('/to?channel='), 400, 'an empty channel is refused');
is(status('/to?channel=' . 'y' x 255), 101, 'one of 255 bytes is accepted');
is(status('/if?x=1&channel=z'), 101, 'a location with an "if" in it works');

for my $cursor ('x', '1', '-', '1-', '-1', '1-1x', '01-1', '18446744073709551616-0', '%31-1') {
    is(status("$path&cursor=$cursor"), 400, "cursor $cursor is refused");
}
is(status("$path&cursor="), 101, 'an empty one is none');

is(status('/open', Origin => 'https://a.example'), 101, 'an origin that is named is accepted');
is(status('/open', Origin => 'https://B.example:8443'), 101, 'another one, too');
is(status('/open', Origin => 'http://a.example'), 403, 'not with another scheme');
is(status('/open', Origin => 'https://b.example'), 403, 'nor with another port');
is(status('/open', Origin => 'http://localhost'), 101, 'our own is, too');
is(status('/any', Origin => 'https://evil.example'), 101, '* accepts any');

# limit_conn counts a connection as long as it is there.

{
    my $first = Cqrs::WebSocket->connect(port => $nginx->port, path => '/limited?channel=a');
    is($first->status, 101, 'limit_conn: the first is accepted');
    is($first->next->{type}, 'cqrs.subscribed', 'and served');
    is(status('/limited?channel=a'), 503, 'the second is refused while it is there');
    is(status('/limited?channel=b'), 101, 'one that counts apart is not');
    $first->close;
    my $again;
    for (1 .. 100) {
        $again = status('/limited?channel=a');
        last if $again == 101;
        select undef, undef, undef, 0.02;
    }
    is($again, 101, 'when it has gone, the next is accepted');
}

# Frames that were sent before the answer.

{
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $nginx->port);
    my $request = "GET $path HTTP/1.1\r\nHost: localhost\r\n"
        . join('', map { "$_: $good{$_}\r\n" } keys %good);
    my $ping = "\x89\x82\0\0\0\0hi";
    $socket->syswrite("$request\r\n$ping" . substr $ping, 0, 3);
    my $got = '';
    $socket->sysread($got, 1000, length $got) while $got !~ /\x8a\x02hi/ && length $got < 600;
    like($got, qr/^HTTP\/1\.1 101 .*\r\n\r\n/s, 'frames before the answer: it is accepted');
    like($got, qr/\x8a\x02hi/, 'and they are read');
    $socket->syswrite(substr $ping, 3);
    $got = '';
    $socket->sysread($got, 1000, length $got) while length $got < 4;
    is($got, "\x8a\x02hi", 'also one of which a part came then');

    $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $nginx->port);
    $socket->syswrite("${request}X: " . 'x' x 2000 . "\r\n\r\n" . $ping x 200);
    $socket->sysread($got, 1000);
    like($got, qr/^HTTP\/1\.1 400 /, 'but not too many of them');
}

{
    my ($answer) = status($path, 'X-Long' => 'x' x 9000, Cookie => 'y' x 9000);
    is($answer->{status}, 101, 'a request that needed large buffers is accepted');
}

# HTTP/2 with prior knowledge: preface, SETTINGS, and a GET in literal headers.

{
    my $literal = sub { my ($name, $value) = @_; pack('C', 0) . pack('C/a C/a', $name, $value) };
    my $headers = $literal->(':method', 'GET') . $literal->(':scheme', 'http')
        . $literal->(':path', $path) . $literal->(':authority', 'localhost');
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $nginx->port(2));
    $socket->syswrite("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . pack('n C C C N', 0, 0, 4, 0, 0)
        . pack('C n C C N', 0, length $headers, 1, 5, 1) . $headers);
    my $got = '';
    while ($got !~ /invalid-handshake/ && $socket->sysread($got, 4096, length $got)) { }
    like($got, qr/"status":501/, 'over HTTP/2 it is refused');
    $socket->close;
}

$nginx->stop;
done_testing;
