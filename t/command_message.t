#!/usr/bin/perl

# What a command becomes in RabbitMQ: docs/wire.md, property by property.

use strict;
use warnings;

use Digest::SHA qw(sha256);
use Encode qw(encode_utf8);
use JSON::PP;
use Test::More;

use Cqrs::Http;
use Cqrs::Jwt;
use Cqrs::Nginx;
use Cqrs::Services;

my $secret = 'a secret of more than thirty-two bytes';
my $vhost  = Cqrs::Services->get->vhost;

$vhost->declare_exchange('cqrs.commands', type => 'topic');
for my $n (0 .. 3) {
    $vhost->declare_queue("cqrs.commands.$n");
    $vhost->bind("cqrs.commands.$n", 'cqrs.commands', "#.$n");
}

my $nginx = Cqrs::Nginx->new(http => <<"END");
    cqrs_rabbitmq    @{[ $vhost->url ]};
    cqrs_partitions  4;
    log_format       ids '\$cqrs_command_id \$cqrs_traceparent';

    server {
        listen 127.0.0.1:%PORT%;
        listen 127.0.0.1:%PORT2% http2;

        location ~ ^/accounts/(?<account>.+)/(?<command>[^/]+)\$ {
            access_log    %DIR%/ids.log ids;
            cqrs_command  \$command stream=account-\$account;
        }

        location = /stream {
            cqrs_command  rename stream=\$arg_stream methods=POST,PUT;
        }

        location /caused {
            cqrs_command  deposit stream=account-1 causation=\$http_causation_id;

            if (\$arg_again) {
                set \$x 1;
            }
        }

        location /file/ {
            cqrs_command  deposit stream=account-1;
            client_body_in_file_only clean;
        }

        location /optional {
            cqrs_command  close stream=account-1 body=optional methods=POST,DELETE;
        }

        location /signed/ {
            cqrs_jwt_key  HS256 file:%DIR%/key;
            cqrs_command  deposit stream=account-1;
            client_body_buffer_size 8k;
        }
    }
END

Cqrs::Paths::spew($nginx->dir . '/key', "$secret\n");
$nginx->start;

my $http = Cqrs::Http->new($nginx->port);
my %json = ('Content-Type' => 'application/json');
my $uuid = qr/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;


subtest 'a command is accepted and lies in its queue' => sub {
    my $before = time;
    my $body   = "{ \"amount\" : 25.0,\n \"note\": \"Gr\xc3\xbc\xc3\x9fe\" }";
    my $answer = $http->request('POST', '/accounts/alice/deposit', \%json, $body);

    is($answer->{status}, 202, 'it is answered 202');
    is($answer->{body}, '', 'the body is empty');
    is($answer->{headers}{'content-length'}, 0, 'and says so');
    like($answer->{headers}{'command-id'}, qr/^$uuid\z/, 'Command-Id is a UUID');

    my ($message) = $vhost->get('cqrs.commands.3', 1);
    ok($message, 'account-alice is of partition 3 of 4') or return;

    is($message->{body}, $body, 'the body is the client\'s, byte for byte');
    is($message->{exchange}, 'cqrs.commands', 'by the exchange cqrs.commands');
    is($message->{routing_key}, 'deposit.3', 'by the routing key type.partition');

    my $properties = $message->{properties};
    is($properties->{message_id}, $answer->{headers}{'command-id'}, 'message_id');
    is($properties->{type}, 'deposit', 'type');
    is($properties->{content_type}, 'application/json', 'content_type');
    is($properties->{delivery_mode}, 2, 'persistent');
    ok($properties->{timestamp} >= $before && $properties->{timestamp} <= time,
        'timestamp is now, in seconds');
    my $trace = delete $message->{headers}{traceparent};
    like($trace, qr/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00\z/, 'a trace is begun');
    is_deeply($message->{headers}, { stream => 'account-alice' },
        'of the other headers there is only the stream');
    is(Cqrs::Paths::slurp($nginx->dir . '/ids.log'),
        "$properties->{message_id} $trace\n", 'the log may name command and trace');
};


subtest 'ids are of version 7 and in order' => sub {
    my @ids = map {
        $http->request('POST', '/accounts/1/deposit', \%json, '{}')
            ->{headers}{'command-id'};
    } 1 .. 50;

    is(scalar(grep { /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/ } @ids), 50,
        'version and variant');
    is_deeply([ sort @ids ], \@ids, 'sorted as they were made');
    my %seen = map { $_ => 1 } @ids;
    is(scalar(keys %seen), 50, 'none twice');

    my $seconds = (hex(substr($ids[0], 0, 8)) * 65536 + hex(substr($ids[0], 9, 4))) / 1000;
    cmp_ok(abs($seconds - time), '<', 10, 'begin with the time');

    my ($first) = $vhost->get('cqrs.commands.1', 1);
    is($first->{properties}{message_id}, $ids[0], 'the queue has the same order');
    $vhost->get('cqrs.commands.1', 49);

    like(Cqrs::Paths::slurp($nginx->dir . '/ids.log'), qr/^$ids[49] 00-/m,
        '$cqrs_command_id is in the log');
};


subtest 'the partition is the one of docs/wire.md' => sub {
    for (
        [ 'account-1'         => 1 ],
        [ 'account-alice'     => 3 ],
        [ "konto-\x{fc}mlaut" => 0 ],
        [ 'a'                 => 3 ],
        )
    {
        my ($stream, $wanted) = @$_;
        my $bytes = encode_utf8($stream);
        is(unpack('N', sha256($bytes)) % 4, $wanted, "a vector: $bytes")
            if $stream ne 'a';

        $wanted = unpack('N', sha256($bytes)) % 4;
        my $answer = $http->request('POST', '/stream?stream=' . $bytes, \%json, '{}');
        is($answer->{status}, 202, 'accepted');

        my ($message) = $vhost->get("cqrs.commands.$wanted", 1);
        is($message->{headers}{stream}, $stream, "in queue $wanted");
        is($message->{routing_key}, "rename.$wanted", 'with its key');
    }
};


subtest 'who sent it' => sub {
    my %claims = (sub => "b\x{f6}b", role => 'teller', exp => time + 60);
    my $token  = Cqrs::Jwt::token(\%claims, key => $secret, alg => 'HS256');
    my $answer = $http->request('POST', '/signed/', {
            %json,
            'Authorization'  => "Bearer $token",
            'Correlation-Id' => 'order-17',
            'traceparent'    => '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
            'If-Match'       => '"12"',
        }, '{"amount":1}');
    is($answer->{status}, 202, 'accepted');

    my ($message) = $vhost->get('cqrs.commands.1', 1);
    my $headers = $message->{headers};
    is($headers->{user}, "b\x{f6}b", 'user is the claim sub');
    is_deeply(JSON::PP->new->decode($headers->{claims}), \%claims, 'claims');
    is($headers->{'correlation-id'}, 'order-17', 'correlation-id');
    like($headers->{traceparent}, qr/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01\z/,
        'the trace goes on');
    unlike($headers->{traceparent}, qr/00f067aa0ba902b7/, 'in a span of its own');
    is($headers->{'expected-version'}, '12', 'expected-version from If-Match');
    is(scalar(keys %$headers), 6, 'and the stream');
};


subtest 'expected versions' => sub {
    for (
        [ 'If-Match',      '"0"', '0' ],
        [ 'If-Match',      '*',   'exists' ],
        [ 'If-None-Match', '*',   'no-stream' ],
        )
    {
        my ($name, $value, $wanted) = @$_;
        $http->request('POST', '/accounts/1/deposit', { %json, $name => $value }, '{}');
        my ($message) = $vhost->get('cqrs.commands.1', 1);
        is($message->{headers}{'expected-version'}, $wanted, "$name: $value");
    }

    for (
        [ 'If-Match' => 'W/"1"' ], [ 'If-Match' => '1' ], [ 'If-Match' => '"x"' ],
        [ 'If-Match' => '""' ], [ 'If-Match' => '"1", "2"' ],
        [ 'If-None-Match' => '"1"' ], [ 'If-Match' => '*', 'If-None-Match' => '*' ],
        )
    {
        my $answer = $http->request('POST', '/accounts/1/deposit', { %json, @$_ }, '{}');
        is($answer->{status}, 400, "refused: @$_");
        like($answer->{body}, qr/:invalid-precondition"/, 'says which problem it is');
    }
};


subtest 'what others said badly is left out' => sub {
    $http->request('POST', '/accounts/1/deposit', {
            %json,
            'Correlation-Id' => 'with a space',
            'traceparent'    => '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
        }, '{}');
    my ($message) = $vhost->get('cqrs.commands.1', 1);
    is($message->{headers}{'correlation-id'}, undef, 'no such header');
    like($message->{headers}{traceparent}, qr/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-00\z/,
        'but another trace');
};


subtest 'the cause of a command' => sub {
    my $event = '0190A9B2-C3D4-8E5F-8A1B-2C3D4E5F6071';
    my %cause = (%json, 'Causation-Id' => $event);

    $http->request('POST', '/accounts/1/deposit', \%cause, '{}');
    my ($message) = $vhost->get('cqrs.commands.1', 1);
    ok(!exists $message->{headers}{'causation-id'}, 'a client does not name it by itself');

    for ('/caused', '/caused?again=1') {
        is($http->request('POST', $_, \%cause, '{}')->{status}, 202, "where the location says so: $_");
        ($message) = $vhost->get('cqrs.commands.1', 1);
        is($message->{headers}{'causation-id'}, lc $event, 'it is passed on');
    }

    is($http->request('POST', '/caused', \%json, '{}')->{status}, 202, 'there may be none');
    ($message) = $vhost->get('cqrs.commands.1', 1);
    ok(!exists $message->{headers}{'causation-id'}, 'then there is none');

    for ('x', substr($event, 1), "$event ", "{$event}", "$event, $event", $event =~ tr/-//dr) {
        my $answer = $http->request('POST', '/caused', { %json, 'Causation-Id' => $_ }, '{}');
        next if $_ eq "$event " && is($answer->{status}, 202, 'blanks around it are HTTP\'s');
        is($answer->{status}, 400, "refused: $_");
        like($answer->{body}, qr/:invalid-causation"/, 'says which problem it is');
    }
    $vhost->get('cqrs.commands.1', 10);
};


subtest 'bodies of all sizes, in memory and in a file' => sub {
    my $token = Cqrs::Jwt::token({ sub => 'a' }, key => $secret);

    for my $size (2, 4000, 8190, 8192, 9000, 131_000, 400_000) {
        my $text = "\xf0\x9f\x90\xa2\xe2\x82\xac\xc3\xa4x\\u20ac ";
        my $body = '{"a":"' . substr($text x ($size / length($text) + 1), 0,
            $size - length('{"a":""}')) . '"}';
        $body = '{}' if $size == 2;
        1 while $body !~ /x|\{\}/ && chop $body;
        $body =~ s/[\x80-\xff]+"\}\z/"}/;
        $body =~ s/\\[u0-9a-f]*"\}\z/"}/;

        my $answer = $http->request('POST', '/signed/',
            { %json, 'Authorization' => "Bearer $token" }, $body);
        is($answer->{status}, 202, length($body) . ' bytes are accepted')
            or diag $answer->{body};

        my ($message) = $vhost->get('cqrs.commands.1', 1);
        ok($message->{body} eq $body, 'and the same bytes arrive');
    }
};


subtest 'bodies that are always put into a file' => sub {
    my $answer = $http->request('POST', '/file/', \%json, '{"in":"a file"}');
    is($answer->{status}, 202, 'accepted');
    my ($message) = $vhost->get('cqrs.commands.1', 1);
    is($message->{body}, '{"in":"a file"}', 'the same bytes arrive');

    is($http->request('POST', '/file/', \%json, '')->{status}, 400, 'an empty one');
};


subtest 'where the body is optional' => sub {
    for (
        [ 'DELETE', {},     undef,              'no body and no type' ],
        [ 'POST',   {},     '',                 'an empty body' ],
        [ 'POST',   \%json, '',                 'with a type all the same' ],
        [ 'POST',   \%json, "{\"why\": \"so\"}", 'a body' ],
        )
    {
        my ($method, $headers, $body, $what) = @$_;
        is($http->request($method, '/optional', $headers, $body)->{status}, 202, $what);
        my ($message) = $vhost->get('cqrs.commands.1', 1);
        is($message->{body}, $body || '{}', 'is ' . ($body || 'an empty object'));
    }

    is($http->request('POST', '/optional', {}, '{}')->{status}, 415, 'a body without a type');
    is($http->request('POST', '/optional',
            { 'Content-Type' => 'application/x-www-form-urlencoded' }, '')->{status},
        415, 'an empty form');
    is($http->request('POST', '/optional', \%json, '[]')->{status}, 400, 'another body');
};


subtest 'HTTP/2' => sub {
    plan skip_all => 'this curl has no HTTP/2' unless `curl -V 2>&1` =~ /HTTP2/;

    my $curl = sub {
        my ($path, $body) = @_;
        open my $out, '-|', 'curl', '-sS', '-m', 10, '--http2-prior-knowledge', '-D', '-',
            '-H', 'Content-Type: application/json', '--data-binary', $body,
            'http://127.0.0.1:' . $nginx->port(2) . $path or die "curl: $!";
        local $/;
        return scalar <$out>;
    };

    for my $path ('/accounts/1/deposit', '/file/') {
        for my $body ('{}', '{"a":"' . 'x' x 70_000 . '"}') {
            like($curl->($path, $body), qr{^HTTP/2 202 .*^command-id: $uuid}ms,
                length($body) . " bytes to $path");
            my ($message) = $vhost->get('cqrs.commands.1', 1);
            ok($message->{body} eq $body, 'and they arrive');
        }
        like($curl->($path, ''), qr{^HTTP/2 400 .*problem:empty-body}s, "no body to $path");
    }
};


subtest 'the same user and Idempotency-Key give the same id' => sub {
    my $send = sub {
        my ($user, $key) = @_;
        my $token = Cqrs::Jwt::token({ sub => $user }, key => $secret);
        my $answer = $http->request('POST', '/signed/', {
                %json,
                'Authorization'   => "Bearer $token",
                'Idempotency-Key' => $key,
            }, '{}');
        is($answer->{status}, 202, "$user, $key");
        return $answer->{headers}{'command-id'};
    };

    my $id = $send->('alice', 'k1');
    like($id, qr/^[0-9a-f]{8}-[0-9a-f]{4}-8/, 'a UUID of version 8');
    is($send->('alice', 'k1'), $id, 'the same again');
    isnt($send->('alice', 'k2'), $id, 'another key, another id');
    isnt($send->('bob',   'k1'), $id, 'another user, another id');

    my ($first, $again) = map {
        $http->request('POST', '/accounts/1/deposit', { %json, 'Idempotency-Key' => 'k1' }, '{}')
            ->{headers}{'command-id'};
    } 1, 2;
    is($first, $again, 'also where nobody is known by a token');

    my $bytes = sha256("\0" x 16 . "alice\nk1");
    my $hex   = unpack('H32', $bytes);
    substr($hex, 12, 1, '8');
    substr($hex, 16, 1, sprintf('%x', hex(substr($hex, 16, 1)) & 3 | 8));
    (my $plain = $id) =~ tr/-//d;
    is($plain, $hex, 'derived as docs/wire.md has it');
};


$nginx->stop;
done_testing;
