#!/usr/bin/perl

# An Idempotency-Key stands for one command: with another body, type or stream it
# is refused, whichever worker or host is asked, as long as Redis can be. What the
# workers of a host know by themselves, command_keys.t asks.

use strict;
use warnings;

use Test::More;

use Cqrs::Http;
use Cqrs::Jwt;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $secret  = 'a secret of more than thirty-two bytes';
my $vhost   = Cqrs::Services->get->vhost;
my $private = Cqrs::Services->private(only => ['redis']);
my $redis   = $private->redis;

$vhost->declare_exchange('cqrs.commands', type => 'topic');
$vhost->declare_queue('all');
$vhost->bind('all', 'cqrs.commands', '#');

# Two hosts.
my @nginx = map {
    Cqrs::Nginx->new(workers => 2, http => <<"END")
    cqrs_rabbitmq    @{[ $vhost->url ]};
    cqrs_partitions  1;
    cqrs_command_keys off;

    server {
        listen 127.0.0.1:%PORT%;

        location ~ ^/(?<stream>[^/]+)/(?<command>[^/]+)\$ {
            cqrs_redis    @{[ $redis->url ]} timeout=300ms;
            cqrs_jwt_key  HS256 file:%DIR%/key;
            cqrs_command  \$command stream=\$stream;
        }
        location = /alone {
            cqrs_command  deposit stream=a;
        }
    }
END
} 1 .. 2;

for (@nginx) {
    Cqrs::Paths::spew($_->dir . '/key', $secret);
    $_->start;
}

my %token = map { $_ => Cqrs::Jwt::token({ sub => $_ }, key => $secret) } qw(alice bob);

# A connection of its own each time: it may be either worker's.
sub post {
    my ($host, $user, $key, $body, $path) = @_;

    return Cqrs::Http->new($nginx[$host]->port)->request('POST', $path // '/account-1/deposit', {
            'Content-Type'  => 'application/json',
            'Authorization' => "Bearer $token{$user}",
            (defined $key ? ('Idempotency-Key' => $key) : ()),
        }, $body);
}


subtest 'one key, one command' => sub {
    my $first = post(0, 'alice', 'k1', '{"amount":1}');
    is($first->{status}, 202, 'the first one');
    my $id = $first->{headers}{'command-id'};

    for my $host (0, 1) {
        for (1 .. 4) {
            my $answer = post($host, 'alice', 'k1', '{"amount":1}');
            is($answer->{status}, 202, "host $host: the same again");
            is($answer->{headers}{'command-id'}, $id, 'with the same id');

            $answer = post($host, 'alice', 'k1', '{"amount":2}');
            is($answer->{status}, 422, "host $host: another body is refused");
            like($answer->{body}, qr/"urn:ngx-cqrs:problem:idempotency-key-reused"/,
                'with its problem document');
        }
        is(post($host, 'alice', 'k1', '{"amount":1}', '/account-1/withdraw')->{status}, 422,
            'another type');
        is(post($host, 'alice', 'k1', '{"amount":1}', '/account-2/deposit')->{status}, 422,
            'another stream');
        is(post($host, 'alice', 'k1', '{"amount": 1}')->{status}, 422,
            'other bytes, though they mean the same');
    }

    is(post(1, 'bob', 'k1', '{"amount":2}')->{status}, 202, 'another user has keys of his own');
    is(post(1, 'alice', 'k2', '{"amount":2}')->{status}, 202, 'another key');
    is(post(1, 'alice', undef, '{"amount":3}')->{status}, 202, 'none');

    my @bodies = map { $_->{body} } $vhost->get('all', 100);
    is(scalar(grep { $_ eq '{"amount":1}' } @bodies), 9, 'what was accepted was published');
    is(scalar(@bodies), 12, 'and nothing else');
};


subtest 'the first one decides, however many come at once' => sub {
    my @clients = map { Cqrs::Http->new($nginx[ $_ % 2 ]->port) } 0 .. 19;
    for my $n (0 .. 19) {
        $clients[$n]->send_request('POST', '/account-1/deposit', {
                'Content-Type'    => 'application/json',
                'Authorization'   => "Bearer $token{alice}",
                'Idempotency-Key' => 'race',
            }, '{"amount":' . ($n < 10 ? 1 : 2) . '}');
    }
    my %status;
    $status{ $_->read_answer->{status} }++ for @clients;
    is_deeply(\%status, { 202 => 10, 422 => 10 }, 'one body wins');

    my %body;
    $body{ $_->{body} }++ for $vhost->get('all', 100);
    is(scalar(keys %body), 1, 'and is the only one that was published');
};


subtest 'a key is kept for a day' => sub {
    my ($name) = @{ $redis->command('KEYS', 'cqrs:key:*') };
    my $left = $redis->command('TTL', $name);
    cmp_ok($left, '>', 86_000, 'no less');
    cmp_ok($left, '<=', 86_400, 'and no more');
};


subtest 'without Redis keys are not compared' => sub {
    my $alone = sub {
        return Cqrs::Http->new($nginx[0]->port)->request('POST', '/alone',
            { 'Content-Type' => 'application/json', 'Idempotency-Key' => 'k' }, $_[0]);
    };
    is($alone->($_)->{status}, 202, "where there is none: $_") for '{}', '{"a":1}';

    $private->pause('redis');
    is(post(0, 'alice', 'k1', '{"amount":4}')->{status}, 202, 'while it does not answer');
    $private->resume('redis');

    $private->kill('redis');
    is(post(0, 'alice', 'k1', '{"amount":5}')->{status}, 202, 'while it is away');

    $private->start('redis');
    ok(eval {
        my $n = 0;
        wait_until {
            $n++;
            post(0, 'alice', "back-$n", '{"amount":1}');
            post(0, 'alice', "back-$n", '{"amount":2}')->{status} == 422;
        } 10, '422';
    }, 'nothing needs a restart');
};


subtest 'a Redis that keeps nothing' => sub {
    $redis->command('CONFIG', 'SET', 'maxmemory', 1);
    is(post($_, 'alice', 'full', '{"amount":1}')->{status}, 202, 'the command goes on') for 0, 1;

    # The worker that took it may not have come back to Redis yet.
    ok(eval {
        wait_until {
            post(0, 'alice', 'full', '{"amount":1}');
            $nginx[0]->log =~ /\[error\].*an Idempotency-Key cannot be kept, "OOM/;
        } 10, 'the refusal';
    }, 'and the log says why its key is not kept');
    $redis->command('CONFIG', 'SET', 'maxmemory', 0);
};


$_->stop for @nginx;
done_testing;
