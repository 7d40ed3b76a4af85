#!/usr/bin/perl

# The daemon dies between any two steps of its protocols, under load, and its servers
# die too; afterwards everything is as if nothing had happened.
#
# The short form passes each point once; the seed says whether SQL or C decides for the
# bank.  With CQRS_CRASHES=N (`make test-crash`) it goes round until there have been N
# crashes, of the daemon and of its servers, and SQL and C take turns.

use strict;
use warnings;

use lib 't/lib';

use List::Util qw(shuffle);
use Test::More;

use Cqrs::Bank;
use Cqrs::Consumer;
use Cqrs::Crash;
use Cqrs::Invariants;
use Cqrs::Load;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant { PARTITIONS => 4, PASSED_BY => 30 };

my $crashes = $ENV{CQRS_CRASHES} // 0;
my $seed = srand($ENV{CQRS_SEED} // time);
note("seed $seed, give it as CQRS_SEED");

my $services = $crashes ? Cqrs::Services->private : Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => PARTITIONS);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $crash    = Cqrs::Crash->new;

my %happened;
my $total = 0;

my $form     = Cqrs::Bank::any;
Cqrs::Bank::decided_in($database, $form);
my $consumer = start();
my $invariants = Cqrs::Invariants->new(
    database => $database, vhost => $vhost, redis => $redis, partitions => PARTITIONS);
$invariants->watch;

my $load = Cqrs::Load->start(vhost => $vhost, partitions => PARTITIONS, seed => $seed, rate => 200, users => 40);
my @ids;

my $round = 0;
do {
    take_turns() if $round++;
    subtest "round $round, the bank decided in $form" => sub { round() };
} while ($total < $crashes && Test::More->builder->is_passing);

$load->stop;
is($consumer->stop, 0, 'SIGTERM: the daemon leaves');

note(sprintf '%4d  %s', $happened{$_}, $_) for sort keys %happened;
note($load->repeated . ' commands were sent again, ' . $invariants->repeated_events . ' events came again');
cmp_ok($total, '>=', $crashes, "$total crashes, " . @ids . ' commands, ' . $invariants->value('select count(*) from cqrs.events')
    . ' events: each time nothing was lost, nothing done twice');

done_testing;


sub start {
    return Cqrs::Consumer->start(
        database => $database, vhost => $vhost, redis => $redis, environment => $crash->environment,
        args     => [ '--batch', 8, Cqrs::Bank::arguments($form) ],
    );
}


# Each goes on with the states that the other has left.
sub take_turns {
    is($consumer->stop, 0, "the daemon leaves after a round in $form");
    $form = Cqrs::Bank::other($form);
    Cqrs::Bank::decided_in($database, $form);
    $consumer = start();
}


sub happened {
    my ($what) = @_;

    $happened{$what}++;
    $total++;
}


sub round {
    my @steps = map { my $point = $_; sub { die_at($point) } } Cqrs::Crash::points();
    push @steps, server_steps() if $crashes;

    $load->resume;
    $_->() for shuffle @steps;
    $load->pause;

    my @new = $load->ids;
    push @ids, @new;
    $invariants->settle(\@new);
    $invariants->check(\@new);

    diag($consumer->log) unless Test::More->builder->is_passing;
}


# To claim a partition is done seldom: a worker that dies brings it about.
sub die_at {
    my ($point) = @_;

    my $claim = $point =~ /^claim/;
    my $death = rand > 0.25 ? 'worker' : 'daemon';

    $crash->arm($point, death => $death, after => $claim ? 1 : 1 + int rand 10);
    restart() if $claim;

    my $died = $crash->wait_died(PASSED_BY);
    ok($died, "the $death dies: $point") or return;
    happened("$point, the $death");

    if ($death eq 'daemon') {
        $consumer->wait;
        $consumer = start();
    }
}


sub restart {
    $consumer->kill;
    $consumer = start();
}


# What else can die.  A RabbitMQ that is stopped takes some seconds to be back.
sub server_steps {
    my @steps = (
        sub { server('kill', 'postgres') },
        sub { server('kill', 'postgres') },
        sub { server('stop', 'postgres') },
        sub { server('kill', 'redis'); $invariants->redis_forgot },
        sub { killed() },
    );
    push @steps, $round % 2 ? sub { server('stop', 'rabbitmq') } : sub { server('kill', 'rabbitmq') };

    return @steps;
}


sub server {
    my ($how, $name) = @_;

    my $before = $crash->passed('committed');
    wait_until { $crash->passed('committed') > $before } PASSED_BY, 'some work to be done';

    $services->$how($name);
    $services->start($name);
    happened($how eq 'kill' ? "$name is killed" : "$name is stopped and started");

    $before = $crash->passed('acked');
    wait_until { $crash->passed('acked') > $before } PASSED_BY, "the work to go on after $name was away";
    pass("the work goes on: $how $name");
}


# Not at a point, but whenever it is.
sub killed {
    my $before = $crash->passed('committed');
    wait_until { $crash->passed('committed') > $before + int rand 20 } PASSED_BY, 'some work to be done';

    restart();
    happened('the daemon, at any moment');
}
