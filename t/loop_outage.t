#!/usr/bin/perl

# Each backend goes away and comes back: what a client sees on every path.

use strict;
use warnings;

use lib 't/lib';

use Test::More;
use Time::HiRes qw(time);

use Cqrs::Loop;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant BOUND => 2;    # seconds in which a path without its backend must have answered

my $services = Cqrs::Services->private;
my $loop = Cqrs::Loop->new(services => $services);
my $ws = $loop->connect('alice');

is($ws->next(5)->{type}, 'cqrs.subscribed', 'the WebSocket is open');

accepted('open', { name => 'Savings' });
told('cqrs.command.completed');

subtest 'Postgres is away' => sub {
    $services->stop('postgres');

    refused(sub { $loop->query('/api/accounts') }, 'a query');
    accepted('deposit', { amount => 1 });
    ok(!$ws->closed, 'the WebSocket stays open');
    is($loop->connect('bob')->status, 101, 'and another one is opened');

    $services->start('postgres');
    $loop->{dbh} = $loop->{database}->dbh;
    recovered(sub { $loop->query('/api/accounts') }, 200, 'queries are answered again');
    told('cqrs.command.completed');
};

subtest 'RabbitMQ is away' => sub {
    $services->stop('rabbitmq');

    refused(sub { $loop->command('alice', 1, 'deposit', { amount => 1 }) }, 'a command');
    is($loop->query('/api/accounts')->{status}, 200, 'queries go on');
    ok(!$ws->closed, 'the WebSocket stays open');

    $services->start('rabbitmq');
    recovered(sub { $loop->command('alice', 1, 'deposit', { amount => 1 }) }, 202,
        'commands are accepted again');
    told('cqrs.command.completed');
};

subtest 'Redis is away' => sub {
    $services->stop('redis');

    refused(sub { answer_of($loop->connect('bob')) }, 'a new WebSocket');

    is($loop->query('/api/accounts')->{status}, 200, 'queries go on');
    accepted('deposit', { amount => 1 });
    wait_until { balance() == 4 - 1 } 10, 'the command takes effect meanwhile';
    ok(!$ws->closed, 'the open WebSocket stays open');

    $services->start('redis');
    my $message = $ws->next(20);
    ok($message, 'the open WebSocket is told when Redis is back');
    like($message->{type}, qr/^cqrs\.(command\.completed|reset)$/,
        'of what it missed, or that it must fetch its data anew');
    recovered(sub { answer_of($loop->connect('bob')) }, 101,
        'and new ones are opened again');
};

$ws->close;

subtest 'nginx is reloaded while Postgres is away' => sub {
    $services->stop('postgres');
    $loop->{nginx}->reload;
    accepted('deposit', { amount => 1 });
    $services->start('postgres');
};

$loop->stop;
$services->stop_all;

done_testing;

sub accepted {
    my ($command, $data) = @_;

    is($loop->command('alice', 1, $command, $data)->{status}, 202, "a command is accepted: $command");
}

sub refused {
    my ($request, $what) = @_;

    my $started = time;
    my $answer = $request->();
    my $took = time - $started;

    is($answer->{status}, 503, "$what is answered 503");
    ok($answer->{headers}{'retry-after'}, 'with Retry-After');
    cmp_ok($took, '<', BOUND, 'in time');
}

# A refused WebSocket as an answer like any other.
sub answer_of {
    my ($ws) = @_;

    return { status => $ws->status, headers => $ws->headers };
}

sub recovered {
    my ($request, $status, $what) = @_;

    my $answer;
    wait_until { ($answer = $request->())->{status} == $status } 30, $what;
    is($answer->{status}, $status, $what);
}

sub told {
    my ($type) = @_;

    my $message = $ws->next(20);
    is($message && $message->{type}, $type, "the issuer is told: $type");
}

sub balance {
    return $loop->value("select balance from api.accounts where id = '1'") // 0;
}
