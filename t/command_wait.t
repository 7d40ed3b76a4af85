#!/usr/bin/perl

# Prefer: wait=<seconds>: the answer is held until the outcome arrives through
# Redis, which may be away, slow to say anything, or lost meanwhile.

use strict;
use warnings;

use JSON ();
use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Http;
use Cqrs::Http2;
use Cqrs::Jwt;
use Cqrs::Nginx;
use Cqrs::Proxy;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $secret   = 'a secret of more than thirty-two bytes';
my $user     = "wait-$$";
my $channel  = "user:$user";
my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 2);
my $vhost    = $services->vhost;
my $idle     = $services->vhost;
my $private  = Cqrs::Services->private(only => ['redis']);
my $redis    = $private->redis;
my $proxy    = Cqrs::Proxy->new(port => $idle->port);

# Commands to the idle broker stay in its queue; the test says what came of them.
$idle->declare_exchange('cqrs.commands', type => 'topic');
$idle->declare_queue('idle');
$idle->bind('idle', 'cqrs.commands', '#.0');

my $nginx = Cqrs::Nginx->new(http => <<"END");
    cqrs_rabbitmq    @{[ $vhost->url ]};
    cqrs_redis       @{[ $redis->url ]} timeout=300ms;
    cqrs_partitions  2;
    cqrs_jwt_key     HS256 file:%DIR%/key;
    log_format       command '\$uri \$cqrs_command_type \$cqrs_command_stream'
                             ' \$cqrs_publish_status \$cqrs_publish_time'
                             ' \$cqrs_command_outcome \$cqrs_wait_time';
    access_log       %DIR%/commands.log command;

    server {
        listen 127.0.0.1:%PORT%;
        listen 127.0.0.1:%PORT2% http2;

        location ~ ^/accounts/(?<account>.+)/(?<command>[^/]+)\$ {
            cqrs_command  \$command stream=account-\$account;
        }

        location /idle {
            cqrs_rabbitmq    @{[ $idle->url ]};
            cqrs_partitions  1;
            cqrs_command     deposit stream=account-1 wait=20s;

            location /idle/short {
                cqrs_command  deposit stream=account-1 wait=100ms;
            }
            location /idle/long {
                cqrs_command  deposit stream=account-1 wait=1h;
            }
            location /idle/refused {
                cqrs_redis    redis://deaf:secret\@127.0.0.1:@{[ $redis->port ]}/ timeout=300ms;
                cqrs_command  deposit stream=account-1;
            }
            location /idle/never {
                cqrs_command  deposit stream=account-1 wait=0;
            }
            location /idle/proxied {
                cqrs_rabbitmq    @{[ $proxy->url($idle->url) ]};
                cqrs_command     deposit stream=account-1;
            }
            location /idle/open {
                cqrs_jwt      optional;
                cqrs_command  deposit stream=account-1;
            }
            location /idle/nobody {
                cqrs_partitions  2;
                cqrs_command     deposit stream=\$arg_stream;
            }
        }
    }
END

$redis->command(qw(ACL SETUSER deaf on >secret ~* resetchannels +@all));

Cqrs::Paths::spew($nginx->dir . '/key', $secret);
$nginx->start;

my $http  = Cqrs::Http->new($nginx->port);
my $token = Cqrs::Jwt::token({ sub => $user }, key => $secret);
my %sent  = (
    'Content-Type'  => 'application/json',
    'Authorization' => "Bearer $token",
    'Prefer'        => 'wait=10',
);

sub post {
    my ($path, $body, %headers) = @_;

    return $http->request('POST', $path, { %sent, %headers }, $body // '{}');
}

# A request that is being waited for, and its command's id.
sub waiting {
    my ($path, %headers) = @_;

    my $client = Cqrs::Http->new($nginx->port);
    $client->send_request('POST', $path // '/idle', { %sent, %headers }, '{}');
    my $message = wait_until { ($idle->get('idle', 1))[0] } 10, 'the command';

    return ($client, $message->{properties}{message_id});
}

sub say_outcome {
    my ($id, $type, %data) = @_;

    return $redis->command('PUBLISH', $channel, JSON->new->canonical->encode({
        specversion => '1.0', id => 'x', source => '/cqrs', type => "cqrs.command.$type",
        data => { id => $id, command => 'deposit', stream => 'account-1', %data },
    }));
}

sub listeners {
    return $redis->command('PUBSUB', 'NUMSUB', $channel)->[1];
}


subtest 'what the daemon makes of it' => sub {
    my $consumer = Cqrs::Consumer->start(
        database => $database, vhost => $vhost, redis => $redis);
    Cqrs::Commands->new(database => $database, vhost => $vhost, partitions => 2)->ready;

    my $answer = post('/accounts/1/open', '{"owner":"a"}');
    is($answer->{status}, 204, 'done: 204');
    is($answer->{body}, '', 'with an empty body');
    is($answer->{headers}{'preference-applied'}, 'wait=10', 'and Preference-Applied');
    my $id = $answer->{headers}{'command-id'};
    is($database->value('select status from cqrs.inbox where id = $1', $id), 'completed',
        'it is in the store by then, under its Command-Id');

    $answer = post('/accounts/1/open', '{"owner":"a"}');
    is($answer->{status}, 422, 'rejected by the domain: 422');
    is($answer->{body}, '', 'with an empty body');
    like($answer->{headers}{'command-id'}, qr/^[0-9a-f-]{36}\z/, 'and Command-Id');

    $answer = post('/accounts/1/deposit', '{"amount":1}', 'If-Match' => '"17"');
    is($answer->{status}, 409, 'another version than expected: 409');
    is($answer->{body}, '', 'with an empty body');

    my @answers = map { post('/accounts/1/deposit', '{"amount":1}', 'Idempotency-Key' => 'k') }
        1 .. 3;
    is_deeply([ map { $_->{status} } @answers ], [ 204, 204, 204 ],
        'repeated with the same Idempotency-Key: the same outcome');
    is($database->value(q{select version from cqrs.streams where stream = 'account-1'}), 2,
        'of what was executed once');

    $consumer->stop;
    like(Cqrs::Paths::slurp($nginx->dir . '/commands.log'),
        qr{^/accounts/1/open open account-1 confirmed \d+\.\d{3} completed \d+\.\d{3}$}m,
        'the log may say all of it');
};


subtest 'outcomes of others are not taken for it' => sub {
    my ($client, $id) = waiting();

    say_outcome('01939d5e-6f1a-7c3b-9d2e-0b6f5a1c7e44', 'completed');
    $redis->command('PUBLISH', $channel, qq({"type":"deposit.noted","data":{"id":"$id"}}));
    say_outcome($id, 'rejected', code => 'no');
    is($client->read_answer->{status}, 422, 'the command\'s own one is');

    ($client, $id) = waiting();
    say_outcome($id, 'failed', code => 'x');
    is($client->read_answer->{status}, 202, 'put aside: 202, it may be executed yet');
};


subtest 'nobody waits longer than the location says' => sub {
    my $answer = post('/idle/short');
    is($answer->{status}, 202, 'the time is up: 202');
    is($answer->{body}, '', 'with an empty body');
    is($answer->{headers}{'preference-applied'}, 'wait=0', 'Preference-Applied says how long');

    for (
        [ '/idle/never', {},                     'where it is off' ],
        [ '/idle',       { Prefer => 'wait=0' }, 'who does not want to' ],
        [ '/idle',       { Prefer => 'return=minimal, wait=x' }, 'who does not say how long' ],
        [ '/idle/open',  { Authorization => 'Basic x' }, 'who is no user' ],
        )
    {
        my ($path, $headers, $who) = @$_;
        my $answer = post($path, '{}', %$headers);
        is($answer->{status}, 202, "$who is answered at once");
        is($answer->{headers}{'preference-applied'}, undef, 'and nothing else is said');
    }
    $idle->get('idle', 10);

    my ($client, $id) = waiting('/idle', Prefer => [ 'respond-async', 'wait=3600' ]);
    say_outcome($id, 'completed');
    $answer = $client->read_answer;
    is($answer->{status}, 204, 'a line of several');
    is($answer->{headers}{'preference-applied'}, 'wait=20', 'cut to what the location allows');
};


subtest 'a command that nobody takes is not waited for' => sub {
    my $answer = post('/idle/nobody?stream=account-1');
    is($answer->{status}, 503, '503 as ever');
    like($answer->{body}, qr/:no-consumer-queue"/, 'with its problem document');
};


subtest 'many wait, and Redis sees one' => sub {
    my @waiting = map { [ waiting() ] } 1 .. 40;

    is(listeners(), 1, 'one subscription');
    my @clients = grep { /user=default/ } split /\n/, $redis->command('CLIENT', 'LIST');
    is(scalar(@clients), 3, 'over two connections of the worker, beside the test\'s');

    say_outcome($_->[1], 'completed') for reverse @waiting;
    is(scalar(grep { $_->[0]->read_answer->{status} == 204 } @waiting), 40,
        'each hears of its own command');
    ok(eval { wait_until { listeners() == 0 } 5, 'it to end' }, 'and then nobody listens');
};


subtest 'HTTP/2' => sub {
    my $http2 = Cqrs::Http2->new($nginx->port(2));
    my (@streams, @ids);
    for (0 .. 4) {
        push @streams, $http2->post('/idle', \%sent, '{}');
        push @ids, (wait_until { ($idle->get('idle', 1))[0] } 10, 'the command')->{properties}{message_id};
    }
    is(listeners(), 1, 'streams that wait share a subscription');

    say_outcome($ids[2], 'completed');
    is_deeply([ $http2->read_answer ], [ $streams[2], 204 ], 'each is answered by its own outcome');
    say_outcome($ids[0], 'rejected', code => 'no');
    is_deeply([ $http2->read_answer ], [ $streams[0], 422 ], 'in whatever order they come');
    say_outcome($ids[4], 'failed', code => 'x');
    is_deeply([ $http2->read_answer ], [ $streams[4], 202 ], 'and whatever they are');

    $http2->cancel($streams[1]);
    say_outcome($_, 'completed') for @ids[ 1, 3 ];
    is_deeply([ $http2->read_answer ], [ $streams[3], 204 ], 'one that is cancelled is not');
    ok(eval { wait_until { listeners() == 0 } 5, 'it to end' }, 'and nobody listens for it');

    $http2->post('/idle', \%sent, '{}');
    wait_until { ($idle->get('idle', 1))[0] } 10, 'the command';
    is(listeners(), 1, 'one more waits');
    undef $http2;
    ok(eval { wait_until { listeners() == 0 } 5, 'it to end' }, 'until the connection is closed');
};


subtest 'the outcome comes before the confirm' => sub {
    # What the broker says first when it is connected is of six frames, and the sixth
    # is the confirm.
    $proxy->plan('server delay 5 0');
    my ($client, $id) = waiting('/idle/proxied');
    say_outcome($id, 'completed');
    is($client->read_answer->{status}, 204, 'it is not lost');

    $proxy->plan('server drop 5 0');
    ($client, $id) = waiting('/idle/proxied');
    say_outcome($id, 'rejected', code => 'no');
    is($client->read_answer->{status}, 422, 'and stands for a confirm that never comes');

    $proxy->plan('server drop 5 0');
    ($client, $id) = waiting('/idle/proxied');
    is($client->read_answer->{status}, 503, 'without it nothing is known');
    $proxy->plan('server none 0 0');
};


subtest 'the client leaves' => sub {
    my ($client, $id) = waiting();
    is(listeners(), 1, 'listened to');
    $client->close;
    ok(eval { wait_until { listeners() == 0 } 5, 'it to end' }, 'not any more');
    say_outcome($id, 'completed');
};


subtest 'nginx is reloaded' => sub {
    my ($client, $id) = waiting();
    $nginx->reload;
    is(listeners(), 1, 'who waits is still there');
    say_outcome($id, 'completed');
    is($client->read_answer->{status}, 204, 'and is answered');
    ok(eval { wait_until { !$nginx->exiting_pids } 10, 'the old worker to leave' },
        'then the old worker leaves');
};


subtest 'Redis does not allow the channel' => sub {
    my $answer = post('/idle/refused');
    is($answer->{status}, 202, '202 at once');
    is($answer->{headers}{'preference-applied'}, undef, 'nobody waited');
    $idle->get('idle', 1);
};


subtest 'the connection to Redis breaks' => sub {
    my $say = sub {
        my ($id) = @_;
        $redis->command('XADD', "cqrs:history:$channel", '*', 'm',
            qq({"type":"cqrs.command.completed","data":{"id":"$id"}}));
    };
    $say->('none');

    my ($client, $id) = waiting('/idle/long', Prefer => 'wait=3600');
    $redis->command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    $say->($id);
    is($client->read_answer->{status}, 204, 'what is said meanwhile is read from the history');

    ($client, $id) = waiting('/idle/long', Prefer => 'wait=3600');
    $private->kill('redis');
    $private->start('redis');
    is($client->read_answer->{status}, 202,
        'where the history is lost the outcome may be, too: 202 at once');
};


subtest 'Redis dies, and comes back' => sub {
    my ($client, $id) = waiting('/idle', Prefer => 'wait=1');
    $private->kill('redis');
    is($client->read_answer->{status}, 202, 'who waits is answered 202 when the time is up');

    my $answer = post('/idle');
    is($answer->{status}, 202, 'who comes meanwhile, too');
    is($answer->{headers}{'preference-applied'}, undef, 'and is told that nobody waited');
    is(scalar($idle->get('idle', 10)), 1, 'the command is on its way');

    $private->start('redis');
    ok(eval {
        wait_until {
            my ($client, $id) = waiting('/idle', Prefer => 'wait=1');
            say_outcome($id, 'completed');
            $client->read_answer->{status} == 204;
        } 10, '204';
    }, 'nothing needs a restart');
};


$nginx->stop;
done_testing;
