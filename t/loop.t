#!/usr/bin/perl

# The whole loop over real servers, undisturbed.

use strict;
use warnings;

use lib 't/lib';

use Test::More;

use Cqrs::Loop;
use Cqrs::Services;

my $seed = srand($ENV{CQRS_SEED} // time);
note("seed $seed, give it as CQRS_SEED");

my $loop = Cqrs::Loop->new(services => Cqrs::Services->get, accounts => 100);

$loop->listen($_) for qw(alice alice bob bob);
$loop->wait_for_listeners;

$loop->send_commands(8, $loop->commands_plan(2_000));
my @answers = $loop->wait_for_senders;

is(scalar(grep { $_->{status} == 202 } @answers), 2_000, 'all commands are answered 202');
is(scalar(@answers), 2_000, 'none had to be sent twice');

$loop->settle(map { $_->{id} } @answers);
$loop->check(@answers);
is($loop->{repeated_events}, 0, 'no event came twice');

cmp_ok($loop->value(q{select count(*) from cqrs.inbox where status = 'rejected'}), '>', 0,
    'there were rejections among them');
cmp_ok($loop->value(q{select count(*) from cqrs.events where type = 'transfer-undone'}), '>', 0,
    'and transfers that came back');

$loop->stop;

done_testing;
