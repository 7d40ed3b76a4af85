#!/usr/bin/perl

# The workers of a host know what an Idempotency-Key stands for also without Redis.

use strict;
use warnings;

use Test::More;

use Cqrs::Http;
use Cqrs::Jwt;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my @vhost = map { Cqrs::Services->get->vhost } 1 .. 2;
for (@vhost) {
    $_->declare_exchange('cqrs.commands', type => 'topic');
    $_->declare_queue('all');
    $_->bind('all', 'cqrs.commands', '#');
}

sub nginx {
    my ($size, %args) = @_;

    return Cqrs::Nginx->new(workers => 4, %args, http => <<"END");
        cqrs_partitions   1;
        $size

        server {
            listen 127.0.0.1:%PORT% backlog=4096;

            location ~ ^/one/(?<stream>[^/]+)/(?<command>[^/]+)\$ {
                cqrs_rabbitmq  @{[ $vhost[0]->url ]};
                cqrs_command   \$command stream=\$stream;
            }
            location ~ ^/two/(?<stream>[^/]+)/(?<command>[^/]+)\$ {
                cqrs_rabbitmq  @{[ $vhost[1]->url ]};
                cqrs_command   \$command stream=\$stream;
            }
        }
END
}

# A connection of its own each time: it may be any worker's.
sub post {
    my ($nginx, $key, $body, $path) = @_;

    return Cqrs::Http->new($nginx->port)->request('POST', $path // '/one/account-1/deposit', {
            'Content-Type'    => 'application/json',
            'Idempotency-Key' => $key,
        }, $body);
}

sub statuses {
    my %status;
    $status{ $_->{status} }++ for @_;

    return \%status;
}

my $nginx = nginx('');
$nginx->start;


subtest 'one key, one command, in all workers' => sub {
    is(post($nginx, 'k1', '{"amount":1}')->{status}, 202, 'the first one');

    is_deeply(statuses(map { post($nginx, 'k1', '{"amount":1}') } 1 .. 16), { 202 => 16 },
        'the same again');
    is_deeply(statuses(map { post($nginx, 'k1', '{"amount":2}') } 1 .. 16), { 422 => 16 },
        'another body');
    like(post($nginx, 'k1', '{"amount":2}')->{body},
        qr/"urn:ngx-cqrs:problem:idempotency-key-reused"/, 'with its problem document');
    is(post($nginx, 'k1', '{"amount":1}', '/one/account-1/withdraw')->{status}, 422, 'another type');
    is(post($nginx, 'k1', '{"amount":1}', '/one/account-2/deposit')->{status}, 422, 'another stream');
    is(post($nginx, 'k2', '{"amount":2}')->{status}, 202, 'another key');

    my @bodies = map { $_->{body} } $vhost[0]->get('all', 100);
    is(scalar(@bodies), 18, 'what was refused was not published');
};


subtest 'the first one decides, however many come at once' => sub {
    my @clients = map { Cqrs::Http->new($nginx->port) } 0 .. 39;
    for my $n (0 .. 39) {
        $clients[$n]->send_request('POST', '/one/account-1/deposit', {
                'Content-Type'    => 'application/json',
                'Idempotency-Key' => 'race',
            }, '{"amount":' . $n % 4 . '}');
    }
    is_deeply(statuses(map { $_->read_answer } @clients), { 202 => 10, 422 => 30 }, 'one body wins');

    my %body;
    $body{ $_->{body} }++ for $vhost[0]->get('all', 100);
    is(scalar(keys %body), 1, 'and is the only one that was published');
};


subtest 'two systems in one nginx do not know of each other' => sub {
    is(post($nginx, 'k1', '{"amount":7}', '/two/account-1/deposit')->{status}, 202, 'a key of theirs');
    is(post($nginx, 'k1', '{"amount":1}', '/two/account-1/deposit')->{status}, 422, 'is theirs');
    is(post($nginx, 'k1', '{"amount":1}')->{status}, 202, 'and ours is ours');
};


subtest 'it is known after a reload, and when workers were killed' => sub {
    $nginx->reload;
    is(post($nginx, 'k1', '{"amount":2}')->{status}, 422, 'after a reload');

    my @workers = $nginx->worker_pids;
    kill 'KILL', @workers;
    wait_until {
        my %old = map { $_ => 1 } @workers;
        4 == grep { !$old{$_} } $nginx->worker_pids;
    } 10, 'new workers';
    is_deeply(statuses(map { post($nginx, 'k1', '{"amount":2}') } 1 .. 8), { 422 => 8 },
        'after their end');
    is(post($nginx, 'k1', '{"amount":1}')->{status}, 202, 'and the first one is still good');
};

$nginx->stop(allow => qr/exited on signal 9/);


subtest 'there is an end to what is remembered' => sub {
    my $small = nginx('cqrs_command_keys 32k;', workers => 2);
    $small->start;

    my $http = Cqrs::Http->new($small->port);
    my $send = sub {
        my ($key, $body) = @_;
        return $http->request('POST', '/one/account-1/deposit',
            { 'Content-Type' => 'application/json', 'Idempotency-Key' => $key }, $body)->{status};
    };
    my %status;
    for (1 .. 2000) {
        $status{ $send->("key-$_", '{"a":1}') }++;
        $status{ $send->('again', '{"a":1}') }++ if $_ % 50 == 0;
    }
    is_deeply(\%status, { 202 => 2040 }, 'more keys than there is room for are taken');
    $small->wait_log(qr/\[warn\].*were forgotten early, "cqrs_command_keys" is too small/);
    is($send->('key-2000', '{"a":2}'), 422, 'the last one is known');
    is($send->('again', '{"a":2}'), 422, 'one that is used is known');
    is($send->('key-1', '{"a":2}'), 202, 'the first one is not');

    $small->stop;
    is(scalar(() = $small->log =~ /forgotten early/g), 1, 'the log is told once a minute');
};


subtest 'off' => sub {
    my $off = nginx('cqrs_command_keys off;', workers => 1);
    $off->start;
    is_deeply(statuses(map { post($off, 'k', "{\"a\":$_}") } 1 .. 3), { 202 => 3 }, 'nothing is compared');
    $off->stop;
};


subtest 'what nginx -t refuses' => sub {
    for ([ '1k', 'invalid size "1k", it is 32768 or more, or "off"' ], [ 'x', 'invalid size "x"' ],
        [ '1m; cqrs_command_keys 1m', 'is duplicate' ])
    {
        my ($status, $output) = Cqrs::Nginx->new(http => "cqrs_command_keys $_->[0]; server { }")
            ->test_config;
        isnt($status, 0, "refused: $_->[0]");
        like($output, qr/$_->[1]/, '... with its reason');
    }
};


# Two hosts and a Redis between them.
my $private = Cqrs::Services->private(only => ['redis']);
my $redis = $private->redis;
my @host = map {
    my $host = nginx("cqrs_redis @{[ $redis->url ]} timeout=300ms;", workers => 2);
    $host->start;
    $host;
} 1 .. 2;

subtest 'a host remembers what Redis has said' => sub {
    is(post($host[0], 'both', '{"amount":1}')->{status}, 202, 'the first one, at one host');
    is(post($host[1], 'both', '{"amount":2}')->{status}, 422, 'another one, at the other');
    is(post($host[0], 'here', '{"amount":1}')->{status}, 202, 'one of which the other does not hear');

    $private->kill('redis');
    for (0, 1) {
        is(post($host[$_], 'both', '{"amount":2}')->{status}, 422, "host $_ knows it without Redis");
        is(post($host[$_], 'both', '{"amount":1}')->{status}, 202, "... and what was first");
    }
    is(post($host[0], 'here', '{"amount":2}')->{status}, 422, 'one host knows it');
    is(post($host[0], 'away', '{"amount":1}')->{status}, 202, 'a new one');
    is(post($host[0], 'away', '{"amount":2}')->{status}, 422, 'is known, too');
};


subtest 'when Redis is back, it is not told what the host knows to be wrong' => sub {
    $private->start('redis');
    ok(eval {
        my $n = 0;
        wait_until {
            $n++;
            post($host[0], "back-$n", '{"amount":1}');
            post($host[1], "back-$n", '{"amount":2}')->{status} == 422;
        } 10, 'the hosts know of each other again';
    }, 'the hosts know of each other again');

    is(post($host[0], 'away', '{"amount":2}')->{status}, 422, 'another one at this host');
    is(post($host[1], 'away', '{"amount":1}')->{status}, 202, 'the first one at the other');
    is(post($host[0], 'away', '{"amount":1}')->{status}, 202, 'and at this');
    is(post($host[1], 'away', '{"amount":2}')->{status}, 422, 'now the other knows it, too');
};


subtest 'a Redis that does not answer' => sub {
    $private->pause('redis');
    is(post($host[0], 'paused', '{"amount":1}')->{status}, 202, 'the first one');
    is(post($host[0], 'paused', '{"amount":2}')->{status}, 422, 'another one');
    $private->resume('redis');
};

$_->stop for @host;
done_testing;
