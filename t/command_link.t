#!/usr/bin/perl

# The link to the broker breaks at any byte, delays, delivers byte by byte, or
# delivers wrong bytes: no crash, no hang, and each 202 is in its queue.
#
# Between nginx and RabbitMQ there is a proxy of the test's own.  It knows some
# hundred disturbances, of which the suite takes a few at random, and
# CQRS_LINK=all takes all.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use List::Util qw(shuffle);
use Socket qw(inet_aton);
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Proxy;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $seed = srand($ENV{CQRS_SEED} // time);
note("seed $seed, give it as CQRS_SEED");

my $services = Cqrs::Services->get;
my $vhost    = $services->vhost;

$vhost->declare_exchange('cqrs.commands', type => 'topic');
$vhost->declare_queue('all');
$vhost->bind('all', 'cqrs.commands', '#');

my $proxy = Cqrs::Proxy->new(port => $vhost->port);

my $nginx = Cqrs::Nginx->new(http => <<"END");
    cqrs_rabbitmq    @{[ $proxy->url($vhost->url) ]} timeout=1s heartbeat=1s;
    cqrs_partitions  1;

    server {
        listen 127.0.0.1:%PORT%;
        location / { cqrs_command deposit stream=account-1; }
    }
END
$nginx->start;
my $http = Cqrs::Http->new($nginx->port);
my (%accepted, $commands);

sub command {
    my $answer = $http->request('POST', '/', { 'Content-Type' => 'application/json' }, '{}');

    $commands++;
    $accepted{ $answer->{headers}{'command-id'} } = 1 if $answer->{status} == 202;
    fail("an answer $answer->{status}") if $answer->{status} !~ /^(202|503)\z/;

    return $answer->{status};
}

sub recover {
    my ($name) = @_;

    eval { wait_until { command() == 202 } 20, 'a command to be accepted' }
        or return fail("$name: recovers") || diag $nginx->log;
}

recover('at first');

# The broker's frames are start, tune, open-ok, two for the channel, and the
# confirms; nginx's a greeting, five to answer, and three for each command.
# Inside of its commands a wrong byte would only make them other commands.
sub plans {
    my @plans;

    for my $side ([ 'server', 6 ], [ 'client', 8 ]) {
        my ($name, $frames) = @$side;
        for my $frame (0 .. $frames) {
            push @plans, map { "$name cut $frame $_" } 0, 1, 7, -1;
            push @plans, map { "$name flip $frame $_" } 0, $name eq 'server' ? (4, 7) : (), -1;
            push @plans, "$name delay $frame $_" for 0, 3;
        }
        push @plans, "$name split 0 0";
    }

    return @plans;
}

my @plans = shuffle(plans());
@plans = @plans[0 .. 29] if ($ENV{CQRS_LINK} // '') ne 'all';
my @drops = shuffle(map({ "server drop $_ 2" } 0, 3, 5), map({ "client drop $_ 2" } 1, 6));
push @plans, ($ENV{CQRS_LINK} // '') eq 'all' ? @drops : $drops[0];

for my $plan (@plans) {
    note $plan;
    $proxy->plan($plan);
    command() for 1 .. 3;
    recover($plan);
}
pass(@plans . ' times disturbed, and recovered');


subtest 'an idle connection is kept alive by heartbeats of both sides' => sub {
    $proxy->plan('server none 0 0');
    recover('heartbeats');
    my $lost = () = $nginx->log =~ /connection lost/g;
    my $before = $proxy->beats;
    wait_until { $proxy->beats >= $before + 6 } 20, 'six heartbeats of nginx';
    is(scalar(() = $nginx->log =~ /connection lost/g), $lost, 'for three times as long');
};


my %queued;
while (my @messages = $vhost->get('all', 500)) {
    $queued{ $_->{properties}{message_id} }++ for @messages;
}
is(scalar(grep { !$queued{$_} } keys %accepted), 0,
    keys(%accepted) . " of $commands commands were accepted, each is in its queue");
is(scalar(grep { $_ > 1 } values %queued), 0, 'none is there twice');

$nginx->stop;


subtest 'the first of two addresses is mute' => sub {
    my $mute = IO::Socket::INET->new(Listen => 10, LocalAddr => '127.0.0.1') or die $!;

    my $failover = Cqrs::Nginx->new(http => <<"END");
        cqrs_rabbitmq    amqp://127.0.0.1:@{[ $mute->sockport ]}/ @{[ $vhost->url ]};
        cqrs_partitions  1;

        server {
            listen 127.0.0.1:%PORT%;
            location / { cqrs_command deposit stream=account-1; }
        }
END
    $failover->start;
    my $answer = Cqrs::Http->new($failover->port)
        ->request('POST', '/', { 'Content-Type' => 'application/json' }, '{}');
    is($answer->{status}, 202, 'the first command waits for the second');
    $failover->wait_log(qr/no connection, no answer in time/);
    $failover->stop;
};


# A name server that says of every name that it is at 127.0.0.3.
sub name_server {
    my ($owner) = @_;

    my $socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die $!;
    my $pid = fork // die "fork: $!";
    return ($socket->sockport, $pid) if $pid;

    while (getppid == $owner) {
        next unless IO::Select->new($socket)->can_read(0.2);
        my $from = $socket->recv(my $query, 512) or next;
        my ($id, $question) = unpack 'n x10 a*', $query;
        $question =~ s/\A((?:[\x01-\x3f].*?)*?\0.{4}).*\z/$1/s;
        my $known = unpack('n', substr $question, -4, 2) == 1;
        $socket->send(pack('n6', $id, 0x8180, 1, $known, 0, 0) . $question
            . ($known ? pack('n3 N n a4', 0xc00c, 1, 1, 1, 4, inet_aton('127.0.0.3')) : ''), 0, $from);
    }
    POSIX::_exit(0);
}

subtest 'a name whose address has changed is resolved anew' => sub {
    my $moved = Cqrs::Proxy->new(port => $vhost->port, address => '127.0.0.3');
    my ($port, $pid) = name_server($$);
    (my $url = $moved->url($vhost->url)) =~ s/127\.0\.0\.1/localhost/;

    my $named = Cqrs::Nginx->new(http => <<"END");
        resolver         127.0.0.1:$port ipv6=off;
        cqrs_rabbitmq    $url;
        cqrs_partitions  1;

        server {
            listen 127.0.0.1:%PORT%;
            location / { cqrs_command deposit stream=account-1; }
        }
END
    $named->start;
    my $client = Cqrs::Http->new($named->port);
    wait_until {
        $client->request('POST', '/', { 'Content-Type' => 'application/json' }, '{}')->{status} == 202
    } 20, 'a command to be accepted';
    like($named->log, qr/"127\.0\.0\.3:\d+ [^"]+": connected/, 'and is reached there');

    kill 'KILL', $pid;
    waitpid $pid, 0;
    $moved->cut;
    $named->wait_log(qr/connection lost/);
    wait_until {
        $client->request('POST', '/', { 'Content-Type' => 'application/json' }, '{}')->{status} == 202
    } 20, 'a command to be accepted without the name server';
    pass('and again when the name server is away');
    $named->stop;
    $moved->stop;
};

done_testing;
