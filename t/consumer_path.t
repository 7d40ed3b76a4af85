#!/usr/bin/perl

# A command's way through the daemon: from RabbitMQ to the store, to Redis, and
# as an event back to RabbitMQ.

use strict;
use warnings;

use JSON ();
use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 4);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $user     = "path-$$";
my $channel  = "user:$user";

my $subscriber = $services->redis;
$subscriber->send('SUBSCRIBE', $channel);
$subscriber->read(5);

my $consumer = Cqrs::Consumer->start(
    database => $database, vhost => $vhost, redis => $redis,
    args     => [ '--log-level', 'info', '--rabbitmq', 'amqp://x:s3cr3t@127.0.0.1:1/' ],
);
my $commands = Cqrs::Commands->new(
    database => $database, vhost => $vhost, partitions => 4, user => $user,
);

eval { $commands->ready; 1 } or diag($@, $consumer->log);
$vhost->declare_queue('watch');
$vhost->bind('watch', 'cqrs.events', '#');


my $opened = $commands->send('account-1', 'open', { owner => $user });
my $deposited = $commands->send('account-1', 'deposit', { amount => 25 });

$commands->wait_outcomes($opened, $deposited);
is($commands->status($deposited), 'completed', 'a command has its outcome in the store');

my @notified = map { notification() } 1 .. 2;
is_deeply([ map { $_->{data}{id} } @notified ], [ $opened, $deposited ],
    'its issuer is notified, in order');
is($notified[1]{type}, 'cqrs.command.completed', 'that it is completed');
is($notified[1]{data}{version}, 2, 'and which version the stream has now');

my @history = $commands->history($redis, $channel);
is_deeply([ map { $_->{id} } @history ], [ map { $_->{cursor} } @notified ],
    'the cursor is the place in the history');
ok(!exists $history[1]{message}{cursor}, 'which holds the message without it');

my $watched = wait_events(2);
is_deeply([ map { $_->{headers}{'x-version'} } @$watched ], [ 1, 2 ],
    'events reach RabbitMQ in order');

my $event = $watched->[1];
my $body = JSON::decode_json($event->{body});
is($event->{routing_key}, 'account.' . $event->{properties}{type},
    'with category and type as their routing key');
is($event->{properties}{message_id}, $body->{id}, 'their id,');
is($event->{properties}{delivery_mode}, 2, 'persistent,');
is($event->{headers}{'x-stream'}, 'account-1', 'the stream,');
is($event->{headers}{'x-partition'}, $commands->partition('account-1'), 'the partition,');
is($event->{headers}{'x-position'}, 2, 'the position,');
is($body->{data}{amount}, 25, 'and what happened');


my $rejected = $commands->send('account-1', 'withdraw', { amount => 26 });
$commands->wait_outcomes($rejected);
is($commands->status($rejected), 'rejected', 'a decider rejects');
my $why = notification();
is($why->{type}, 'cqrs.command.rejected', 'and the issuer hears of it');
ok(length $why->{data}{code}, 'and why');


$commands->send('account-1', 'deposit', { amount => 25 }, message_id => $deposited) for 1 .. 3;
my $after = $commands->send('account-1', 'deposit', { amount => 1 });
$commands->wait_outcomes($after);
my @again = map { notification() } 1 .. 3;
is_deeply([ map { "$_->{type} $_->{data}{id} $_->{data}{version}" } @again ],
    [ ("cqrs.command.completed $deposited 2") x 3 ], 'whoever repeats a command hears its first outcome again');
is($again[0]{id}, $again[2]{id}, 'as the same event');
is(notification()->{data}{id}, $after, 'then comes what follows');
is($commands->balance('account-1'), 26, 'and takes no effect again');


my $other = $commands->send('account-2', 'open', { owner => $user });
$commands->wait_outcomes($other);
notification();
my $transfer = $commands->send('account-1', 'transfer', { to => '2', amount => 10 });
$commands->wait_outcomes($transfer);
wait_until { $commands->balance('account-2') == 10 } 10, 'the money to arrive';
is($commands->balance('account-1'), 16, 'a transfer takes from one account and gives to another');


$redis->command('SET', "cqrs:history:user:$user-x", 'not a history');
$subscriber->send('SUBSCRIBE', "user:$user-x");
$subscriber->read(5) for 1 .. 3;           # of the transfer, and the answer
my $late = $commands->send('account-1', 'deposit', { amount => 1 },
    headers => { user => "$user-x" });
my $live = notification();
is($live->{data}{id}, $late, 'a history that can not be written costs only itself');
ok(!exists $live->{cursor}, 'its message has no cursor');


like($consumer->log, qr/\[error\].*rabbitmq: 127\.0\.0\.1:1: connecting/,
    'of several brokers one that is away is passed over');
unlike($consumer->log, qr/s3cr3t/, 'no password is in the log');

is($consumer->stop, 0, 'the daemon leaves when it is told to');
is($vhost->queue_depth("cqrs.commands.$_"), 0, "queue $_ is empty") for 0 .. 3;
is($vhost->queue_depth('cqrs.dead-letters'), 0, 'nothing is among the dead letters');

done_testing;


# What a subscriber of the user's channel gets next.
sub notification {
    my $message = $subscriber->read(10) or die "no notification\n";

    return JSON::decode_json($message->[2]);
}


sub wait_events {
    my ($count) = @_;

    my @events;
    wait_until { push @events, $vhost->get('watch', $count - @events); @events == $count }
        10, "$count events";

    return \@events;
}
