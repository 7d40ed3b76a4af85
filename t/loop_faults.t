#!/usr/bin/perl

# The whole loop while nginx is reloaded and the consumer killed.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use Cqrs::Loop;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $seed = srand($ENV{CQRS_SEED} // time);
note("seed $seed, give it as CQRS_SEED");

my $loop = Cqrs::Loop->new(services => Cqrs::Services->get, accounts => 100);

$loop->listen($_) for qw(alice alice bob bob);
$loop->wait_for_listeners;

$loop->send_commands(8, $loop->commands_plan(2_000));

for my $fault (
    [ 300,   'the consumer is killed',       sub { $loop->{consumer}->kill; $loop->start_consumer } ],
    [ 700,   'nginx is reloaded',            sub { $loop->{nginx}->reload } ],
    [ 1_100, 'the consumer is killed again', sub { $loop->{consumer}->kill; $loop->start_consumer } ],
) {
    my ($outcomes, $what, $do) = @$fault;
    wait_until { $loop->outcomes >= $outcomes } 120, "$outcomes outcomes";
    note("$what after " . $loop->outcomes . ' outcomes');
    $do->();
}

my @answers = $loop->wait_for_senders;
my %statuses;
$statuses{ $_->{status} }++ for @answers;

is($statuses{202}, 2_000, 'all commands are answered 202 in the end');
delete $statuses{202};
delete $statuses{0};    # a connection that the old worker closed while idle
is_deeply(\%statuses, {}, 'and no request failed');

$loop->settle(map { $_->{id} } grep { $_->{status} == 202 } @answers);
$loop->check(@answers);
note("$loop->{repeated_events} events came more than once");

$loop->stop;

done_testing;
