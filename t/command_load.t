#!/usr/bin/perl

# Under load: a reload fails no request, and each command that was answered 202
# lies in its queue, whatever happens to nginx and to the broker.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep time);

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant CLIENTS => 8;

my $services = Cqrs::Services->private(only => ['rabbitmq']);
my $vhost    = $services->vhost;
my $dir      = tempdir(CLEANUP => 1);

$vhost->declare_exchange('cqrs.commands', type => 'topic');
for my $n (0 .. 1) {
    $vhost->declare_queue("cqrs.commands.$n", arguments => { 'x-queue-type' => 'quorum' });
    $vhost->bind("cqrs.commands.$n", 'cqrs.commands', "#.$n");
}

my $nginx = Cqrs::Nginx->new(workers => 2, http => <<"END");
    cqrs_rabbitmq    @{[ $vhost->url ]};
    cqrs_partitions  2;

    server {
        listen 127.0.0.1:%PORT%;

        location ~ ^/(\\d+)\$ {
            cqrs_command deposit stream=account-\$1;
        }
    }
END
$nginx->start;


# Sends commands until it is told to stop; "status id" a line.  Every second
# client opens a connection for each: on one that is kept, a request may meet
# nginx closing it as idle, which HTTP leaves to the client to find out.
sub client {
    my ($n, $name) = @_;

    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    my $http = Cqrs::Http->new($nginx->port);
    open my $out, '>', "$dir/$name.$n" or die;

    until (-e "$dir/stop.$name") {
        my $answer = eval {
            $http->request('POST', "/$n", { 'Content-Type' => 'application/json' }, '{"n":1}');
        };
        print $out $answer
            ? "$answer->{status} " . ($answer->{headers}{'command-id'} // '-')
                . ($answer->{status} == 202 ? '' : " $answer->{body}") . "\n"
            : 'broken ' . ($n % 2 ? 'new' : 'kept') . " $@";
        $http = Cqrs::Http->new($nginx->port) if !$answer || $n % 2;
        sleep 0.05 if !$answer || $answer->{status} != 202;
    }
    close $out;
    POSIX::_exit(0);
}

sub with_load {
    my ($name, $do) = @_;

    my @pids = map { client($_, $name) } 1 .. CLIENTS;
    wait_until { sent($name) > 200 } 20, 'the load to begin';
    my $done = eval { $do->(); 1 };
    my $error = $@;
    Cqrs::Paths::spew("$dir/stop.$name", '');
    waitpid $_, 0 for @pids;
    ok($done, "$name: done") or diag $error;

    return map { split /\n/, Cqrs::Paths::slurp("$dir/$name.$_") } 1 .. CLIENTS;
}

sub sent {
    my ($name) = @_;

    my $bytes = 0;
    $bytes += -s "$dir/$name.$_" // 0 for 1 .. CLIENTS;

    return $bytes / 41;
}

# Takes all messages off the queues; how often each id was there.
sub queued {
    my %count;

    for my $queue (map { "cqrs.commands.$_" } 0, 1) {
        while (my @messages = $vhost->get($queue, 500)) {
            $count{ $_->{properties}{message_id} }++ for @messages;
        }
    }

    return %count;
}

sub check {
    my ($name, @lines) = @_;

    my @accepted = map { /^202 (\S+)/ ? $1 : () } @lines;
    my %queued = queued();

    cmp_ok(scalar(@accepted), '>', 200, "$name: " . @accepted . ' commands accepted');
    my @missing = grep { !$queued{$_} } @accepted;
    is(scalar(@missing), 0, "$name: each of them is in its queue");
    is(scalar(grep { $_ > 1 } values %queued), 0, "$name: none is there twice");

    return \%queued;
}


subtest 'reload fails no request' => sub {
    my @lines = with_load('reload', sub {
        for (1 .. 5) {
            my $before = sent('reload');
            $nginx->reload;
            wait_until { sent('reload') > $before + 200 } 20, 'requests';
        }
    });
    my @failed = grep { !/^202|^broken kept http: the server closed/ } @lines;
    is(scalar(@failed), 0, 'each request was accepted') or diag join "\n", @failed;

    my $queued = check('reload', @lines);
    is(scalar(keys %$queued), scalar(grep { /^202/ } @lines),
        'and nothing else is in the queues');

    wait_until { !$nginx->exiting_pids } 20, 'the old workers to leave';
};


subtest 'workers are killed' => sub {
    my @lines = with_load('kill', sub {
        for (1 .. 3) {
            my $before = sent('kill');
            kill 'KILL', ($nginx->worker_pids)[0];
            wait_until { sent('kill') > $before + 200 } 20, 'requests';
        }
    });
    check('kill', @lines);
};


subtest 'the broker is killed and comes back' => sub {
    my @lines = with_load('broker', sub {
        $services->kill('rabbitmq');
        $services->start('rabbitmq');
        my $before = sent('broker');
        wait_until { sent('broker') > $before + 400 } 30, 'requests';
    });
    cmp_ok(scalar(grep { /^503/ } @lines), '>', 0, 'meanwhile there were 503s');
    is(scalar(grep { /^(?!202|503)/ } @lines), 0, 'and no other answers');
    check('broker', @lines);
};

# nginx says by an alert that a worker was killed
$nginx->stop(allow => qr/worker process \d+ exited on signal 9/);
done_testing;
