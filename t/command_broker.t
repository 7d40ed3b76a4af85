#!/usr/bin/perl

# The broker is away, blocked, silent, or has no queue: each command is answered
# within two seconds, with what is known about it, and nothing needs a restart.

use strict;
use warnings;

use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->private(only => ['rabbitmq']);
my $vhost    = $services->vhost;
my $port     = $services->env('AMQP_PORT');

sub declare_topology {
    $vhost->declare_exchange('cqrs.commands', type => 'topic');
    $vhost->declare_queue('cqrs.commands.0', arguments => { 'x-queue-type' => 'quorum' });
    $vhost->bind('cqrs.commands.0', 'cqrs.commands', '#.0');
}

my $dir         = tempdir(CLEANUP => 1);
my $certificate = "$dir/broker.crt";
chmod 0755, $dir;
system('sh', '-c', 'cd "$1" && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost'
    . ' -addext subjectAltName=DNS:localhost -keyout broker.key -out broker.crt 2>/dev/null'
    . ' && chmod 644 broker.key', 'sh', $dir) == 0 or die 'openssl';

my $nginx = Cqrs::Nginx->new(http => <<"END");
    cqrs_rabbitmq    @{[ $vhost->url ]} timeout=1500ms heartbeat=2s;
    cqrs_partitions  1;
    log_format       status '\$uri \$status \$cqrs_publish_status';
    access_log       %DIR%/status.log status;

    server {
        listen 127.0.0.1:%PORT%;

        location /wrong/ {
            cqrs_rabbitmq    amqp://bank:T0psecret\@127.0.0.1:$port/ timeout=1s;
            cqrs_command     deposit stream=account-1;
        }

        location /wrong-vhost/ {
            cqrs_rabbitmq    amqp://guest:guest\@127.0.0.1:$port/nowhere timeout=1s;
            cqrs_command     deposit stream=account-1;
        }

        location /failover/ {
            cqrs_rabbitmq    amqp://guest:guest\@127.0.0.1:1/ @{[ $vhost->url ]};
            cqrs_command     deposit stream=account-1;
        }

        location /nowhere/ {
            cqrs_command_unroutable  404;
            cqrs_command             nowhere stream=account-1;
        }

        location /at-once/ {
            cqrs_command_confirm  off;
            cqrs_command          deposit stream=account-1;
        }

        location /at-once-few/ {
            cqrs_rabbitmq         @{[ $vhost->url ]} max_unconfirmed=3;
            cqrs_command_confirm  off;
            cqrs_command          deposit stream=account-1;
        }

        location /tls/ {
            cqrs_rabbitmq    amqps://localhost:%PORT2%/@{[ $vhost->name ]}
                             ssl_trusted_certificate=$certificate;
            cqrs_command     deposit stream=account-1;
        }

        location /tls-stranger/ {
            cqrs_rabbitmq    amqps://localhost:%PORT2%/@{[ $vhost->name ]};
            cqrs_command     deposit stream=account-1;
        }

        location /tls-other-name/ {
            cqrs_rabbitmq    amqps://127.0.0.1:%PORT2%/@{[ $vhost->name ]}
                             ssl_trusted_certificate=$certificate;
            cqrs_command     deposit stream=account-1;
        }

        location /tls-named/ {
            cqrs_rabbitmq    amqps://127.0.0.1:%PORT2%/@{[ $vhost->name ]} ssl_name=localhost
                             ssl_trusted_certificate=$certificate;
            cqrs_command     deposit stream=account-1;
        }

        location /tls-unverified/ {
            cqrs_rabbitmq    amqps://127.0.0.1:%PORT2%/@{[ $vhost->name ]} ssl_verify=off;
            cqrs_command     deposit stream=account-1;
        }

        location /few/ {
            cqrs_rabbitmq    @{[ $vhost->url ]} max_unconfirmed=3 timeout=800ms;
            cqrs_command     deposit stream=account-1;
        }

        location / {
            cqrs_command     deposit stream=account-1;
        }
    }
END
$services->listen_tls($nginx->port(2), $certificate, "$dir/broker.key");
$nginx->start;

my $http = Cqrs::Http->new($nginx->port);

sub send_to {
    my ($path, $client) = @_;

    my $begun = time;
    my $answer = ($client || $http)->request('POST', $path,
        { 'Content-Type' => 'application/json' }, '{"a":1}');
    $answer->{took} = time - $begun;
    $answer->{kind} = $answer->{status} == 202 ? ''
        : (JSON::PP->new->decode($answer->{body})->{type} =~ /([^:]+)\z/)[0];

    return $answer;
}

sub refused_with {
    my ($kind, $path, $seconds) = @_;

    my $answer = send_to($path);
    is($answer->{status}, 503, "503 at $path");
    is($answer->{kind}, $kind, "$kind");
    ok($answer->{headers}{'retry-after'}, 'with Retry-After');
    cmp_ok($answer->{took}, '<', $seconds, "within $seconds s");

    return $answer;
}

sub accepted_again {
    my ($path) = @_;

    my $answer;
    ok(eval {
        wait_until { ($answer = send_to($path))->{status} == 202 }
            20, 'a command to be accepted';
        1;
    }, "accepted again at $path") or diag $nginx->log;
}


subtest 'there is no exchange yet' => sub {
    refused_with('no-consumer-queue', '/', 1);
    refused_with('no-consumer-queue', '/', 1);
    $nginx->wait_log(qr/channel closed, 404 "NOT_FOUND - no exchange 'cqrs.commands'/);

    $vhost->declare_exchange('cqrs.commands', type => 'topic');
    refused_with('no-consumer-queue', '/', 1);
    $nginx->wait_log(qr/\[error\].*command [0-9a-f-]{36}: no queue takes it/);

    declare_topology();
    is(send_to('/')->{status}, 202, 'accepted as soon as there is a queue');
};


subtest 'a command that nobody takes can be a 404' => sub {
    my $answer = send_to('/nowhere/');
    is($answer->{status}, 202, 'as long as somebody takes it');

    $vhost->delete_queue('cqrs.commands.0');
    $answer = send_to('/nowhere/');
    is($answer->{status}, 404, 'where the location says so');
    is($answer->{kind}, 'no-consumer-queue', 'with the same words');
    ok(!$answer->{headers}{'retry-after'}, 'and no Retry-After');
    declare_topology();
};


subtest 'a queue that is full' => sub {
    $vhost->declare_queue('full', arguments => { 'x-max-length' => 0, 'x-overflow' => 'reject-publish' });
    $vhost->bind('full', 'cqrs.commands', 'deposit.0');
    refused_with('not-accepted', '/', 1);
    $vhost->delete_queue('full');
    is(send_to('/')->{status}, 202, 'accepted when it is gone');
};


subtest 'TLS' => sub {
    accepted_again('/tls/');
    accepted_again('/tls-named/');
    accepted_again('/tls-unverified/');

    refused_with('broker-unavailable', '/tls-stranger/', 2);
    $nginx->wait_log(qr/no connection, self.signed certificate/);
    refused_with('broker-unavailable', '/tls-other-name/', 2);
    $nginx->wait_log(qr/no connection, the broker's certificate is for another name/);
};


subtest 'the next address is tried' => sub {
    accepted_again('/failover/');
};


subtest 'wrong credentials' => sub {
    refused_with('broker-unavailable', '/wrong/', 2);
    $nginx->wait_log(qr/\[error\].*no connection, the broker closed the connection, 403 "ACCESS_REFUSED/);

    refused_with('broker-unavailable', '/wrong-vhost/', 2);
    $nginx->wait_log(qr/\[error\].*530 "NOT_ALLOWED - vhost nowhere not found"/);

    unlike($nginx->log, qr/T0psecret/, 'the password is in no log');
};


subtest 'returned messages are told from those that are taken' => sub {
    $vhost->delete_queue('cqrs.commands.0');
    my @clients = map { Cqrs::Http->new($nginx->port) } 1 .. 20;
    $_->send_request('POST', '/', { 'Content-Type' => 'application/json' }, '{}')
        for @clients;
    is(scalar(grep { $_->read_answer->{status} == 503 } @clients), 20, 'none is taken');

    declare_topology();
    is(send_to('/')->{status}, 202, 'the next is');
};


subtest 'the connection is closed by an operator' => sub {
    wait_until { $vhost->connections >= 1 } 10, 'the connection to be seen';
    $vhost->close_connections('maintenance');
    $nginx->wait_log(qr/\[error\].*connection lost, the broker closed the connection, 320 "CONNECTION_FORCED - maintenance"/);

    my $answer = send_to('/');
    is($answer->{status}, 202, 'a command waits for the next connection');
    cmp_ok($answer->{took}, '<', 1, 'not long');
};


subtest 'a memory alarm' => sub {
    $services->alarm('rabbitmq');

    # The broker says that it is blocked when it is sent something.
    my $answer = send_to('/');
    is($answer->{status}, 503, 'a command is refused');
    like($answer->{kind}, qr/^(not-confirmed|broker-unavailable)$/, "says $answer->{kind}");
    cmp_ok($answer->{took}, '<', 2, 'within 2 s');
    $nginx->wait_log(qr/\[error\].*takes no messages now, "low on memory"/);

    refused_with('broker-unavailable', '/', 0.2);

    $services->calm('rabbitmq');
    $nginx->wait_log(qr/\[notice\].*takes messages again/);
    is(send_to('/')->{status}, 202, 'accepted again');
};


subtest 'more than max_unconfirmed' => sub {
    is(send_to('/few/')->{status}, 202, 'there is a connection');
    $services->pause('rabbitmq');

    my @clients = map { Cqrs::Http->new($nginx->port) } 1 .. 6;
    my $begun = time;
    $_->send_request('POST', '/few/', { 'Content-Type' => 'application/json' }, '{}')
        for @clients;
    my @kinds = map { $_->read_answer->{body} =~ /problem:([a-z-]+)/ } @clients;
    is(scalar(grep { $_ eq 'too-many-commands' } @kinds), 3, 'three are refused');
    is(scalar(grep { $_ eq 'not-confirmed' } @kinds), 3, 'three wait and time out');
    cmp_ok(time - $begun, '<', 1.5, 'as long as the timeout');

    $services->resume('rabbitmq');
    accepted_again('/few/');
};


subtest 'the broker is silent' => sub {
    my $silent = qr/connection lost, the broker was silent for two heartbeats/;
    my $before = () = $nginx->log =~ /$silent/g;
    $services->pause('rabbitmq');

    my $answer = refused_with('not-confirmed', '/', 2);
    like($answer->{headers}{'command-id'}, qr/^[0-9a-f-]{36}\z/, 'the id is told');
    like($answer->{body}, qr/may still be executed/, 'and what may be');

    # Twice the heartbeat of 2 s later it is given up.
    wait_until { my @now = $nginx->log =~ /$silent/g; @now > $before } 20, 'it to be given up';
    refused_with('broker-unavailable', '/', 2);

    $services->resume('rabbitmq');
    accepted_again('/');
};


subtest 'a client that leaves costs nothing' => sub {
    $services->pause('rabbitmq');

    my $client = Cqrs::Http->new($nginx->port);
    $client->send_request('POST', '/', { 'Content-Type' => 'application/json' }, '{}');
    $client->close;
    $nginx->wait_log(qr/client prematurely closed connection/);

    $services->resume('rabbitmq');
    accepted_again('/');
};


subtest 'the broker is stopped and comes back' => sub {
    $services->stop('rabbitmq');

    my $answer = send_to('/');
    is($answer->{status}, 503, '503 when it is gone');
    cmp_ok($answer->{took}, '<', 2, 'within 2 s');

    wait_until { send_to('/')->{kind} eq 'broker-unavailable' } 5, 'it to be known';
    refused_with('broker-unavailable', '/', 0.2);

    my @kept = map { send_to('/at-once/') } 1 .. 20;
    is(scalar(grep { $_->{status} == 202 } @kept), 20,
        'without confirm it is answered 202, and kept');
    is(send_to('/at-once-few/')->{status}, 202, 'as many') for 1 .. 3;
    refused_with('too-many-commands', '/at-once-few/', 0.2);
    my %logged;
    $logged{$_}++ for grep { /at-once/ } split /\n/, Cqrs::Paths::slurp($nginx->dir . '/status.log');
    is_deeply(\%logged, {
            '/at-once/ 202 kept'           => 20,
            '/at-once-few/ 202 kept'       => 3,
            '/at-once-few/ 503 overloaded' => 1,
        }, 'the log may say that they are kept, not that they are confirmed');

    $services->start('rabbitmq');
    accepted_again('/');

    my (%queued, @waiting);
    wait_until {
        $queued{ $_->{properties}{message_id} }++ for $vhost->get('cqrs.commands.0', 1000);
        @waiting = grep { !$queued{ $_->{headers}{'command-id'} } } @kept;
        !@waiting;
    } 20, 'what was kept to be in its queue';
    pass('and sent when the broker is back');
    is(scalar(grep { $_ > 1 } values %queued), 0, 'once');
};


subtest 'a kept command that nobody takes is told to the log' => sub {
    is(send_to('/at-once/')->{status}, 202, 'one that is taken');
    $vhost->delete_queue('cqrs.commands.0');
    my $answer = send_to('/at-once/');
    is($answer->{status}, 202, 'one that is not');
    $nginx->wait_log(qr/\[error\].*message $answer->{headers}{'command-id'} was answered, and given up: no queue takes it/);
    declare_topology();
};


subtest 'the broker is killed' => sub {
    $services->kill('rabbitmq');
    $nginx->wait_log(qr/connection lost, /);
    wait_until { send_to('/')->{kind} eq 'broker-unavailable' } 5, 'it to be known';

    # A worker that is told to leave does not wait for a broker, and says what
    # it takes along.
    my $answer = send_to('/at-once/');
    is($answer->{status}, 202, 'without confirm a command is kept');
    $nginx->stop;
    like($nginx->log, qr/\[error\].*message $answer->{headers}{'command-id'} was answered, and given up: it was not confirmed/,
        'nginx stops without the broker, and tells');
};

done_testing;
