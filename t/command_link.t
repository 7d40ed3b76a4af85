#!/usr/bin/perl

# The link to the broker breaks at any byte, delivers byte by byte, or delivers
# wrong bytes: no crash, no hang, and each 202 is in its queue.
#
# Between nginx and RabbitMQ there is a proxy of the test's own.

use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->get;
my $vhost    = $services->vhost;
my $plan     = tempdir(CLEANUP => 1) . '/plan';

$vhost->declare_exchange('cqrs.commands', type => 'topic');
$vhost->declare_queue('all');
$vhost->bind('all', 'cqrs.commands', '#');

my $listen = IO::Socket::INET->new(Listen => 10, LocalAddr => '127.0.0.1', ReuseAddr => 1)
    or die "listen: $!";
my $proxy = fork // die "fork: $!";
if (!$proxy) {
    proxy();
    POSIX::_exit(0);
}
END { kill 'KILL', $proxy if $proxy }

(my $url = $vhost->url) =~ s/:\d+(?=\/)/':' . $listen->sockport/e;

my $nginx = Cqrs::Nginx->new(http => <<"END");
    cqrs_rabbitmq    $url timeout=1s heartbeat=2s;
    cqrs_partitions  1;

    server {
        listen 127.0.0.1:%PORT%;
        location / { cqrs_command deposit stream=account-1; }
    }
END


# Passes bytes on; at SIGUSR1 it closes what is open.  Each connection takes the plan that is there, if there is
# one: "cut N" closes it after N bytes of the broker's, "flip N" inverts byte N,
# "bytes" passes single bytes on, "drop" swallows what the broker says.
sub proxy {
    my $select = IO::Select->new($listen);
    my (%peer, %plan, %count);

    my $forget = sub {
        my ($socket) = @_;
        my @pair = ($socket, $peer{$socket});
        for my $s (@pair) {
            $select->remove($s);
            delete $_->{$s} for \%peer, \%plan, \%count;
            close $s;
        }
    };

    my $close;
    local $SIG{USR1} = sub { $close = 1 };

    while (1) {
        if ($close) {
            $close = 0;
            my @open = values %peer;
            $peer{$_} && $forget->($_) for @open;
        }

        for my $socket ($select->can_read(0.1)) {
            if ($socket == $listen) {
                my $client = $listen->accept or next;
                my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                    PeerPort => $vhost->port) or die "broker: $!";
                @peer{ $client, $server } = ($server, $client);
                $select->add($client, $server);
                if (open my $file, '<', $plan) {
                    $plan{$server} = [ split ' ', <$file> ];
                    unlink $plan;
                }
                next;
            }

            next unless $peer{$socket};
            my $got = sysread $socket, my $bytes, 65536;
            if (!$got) {
                $forget->($socket);
                next;
            }
            my ($what, $at) = @{ $plan{$socket} || ['none'] };
            my $before = $count{$socket} // 0;
            $count{$socket} += $got;

            if ($what eq 'cut' && $before + $got > $at) {
                syswrite $peer{$socket}, substr($bytes, 0, $at - $before);
                $forget->($socket);
                next;
            }
            next if $what eq 'drop';
            substr($bytes, $at - $before, 1) ^= "\xff"
                if $what eq 'flip' && $at >= $before && $at < $before + $got;

            if ($what eq 'bytes') {
                for my $byte (split //, $bytes) {
                    syswrite $peer{$socket}, $byte;
                    select undef, undef, undef, 0.0003;
                }
            } else {
                syswrite $peer{$socket}, $bytes;
            }
        }
    }
}

$nginx->start;
my $http = Cqrs::Http->new($nginx->port);
my (%accepted, $commands);

sub command {
    my $begun = time;
    my $answer = $http->request('POST', '/', { 'Content-Type' => 'application/json' }, '{}');
    my $took = time - $begun;

    $commands++;
    $accepted{ $answer->{headers}{'command-id'} } = 1 if $answer->{status} == 202;
    fail("an answer after $took s") if $took > 2;
    fail("an answer $answer->{status}") if $answer->{status} !~ /^(202|503)\z/;

    return $answer->{status};
}

sub recover {
    my ($name) = @_;

    eval { wait_until { command() == 202 } 10, 'a command to be accepted' }
        or return fail("$name: recovers") || diag $nginx->log;
}

# The next connection has a plan; the present one is closed.
sub disturb {
    my ($text, $commands) = @_;

    note $text;
    Cqrs::Paths::spew("$plan.new", $text);
    rename "$plan.new", $plan;
    kill 'USR1', $proxy;
    wait_until { !-e $plan } 10, 'the plan to be taken';
    command() for 1 .. $commands;
    recover($text);
}

recover('at first');

sub rounds {
    my ($name, @plans) = @_;

    disturb($_, 3) for @plans;
    pass("$name: " . @plans . ' times recovered');
}

rounds('byte by byte', 'bytes');

# The handshake is some 550 bytes, start of them 490; a confirm is 21.
rounds('cut', map { "cut $_" } 0, 1, 6, 7, 8, 100, 490, 510, 515, 520, 525, 530, 540, 545, 550,
    555, 560, 565, 570, 580, 590);
rounds('wrong bytes', map { "flip $_" } 0, 2, 3, 6, 8, 11, 15, 300, 490, 505, 510, 520, 530, 540,
    545, 550, 555, 560, 565, 570, 580);

rounds('silence', 'drop');

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

done_testing;
