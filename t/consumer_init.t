#!/usr/bin/perl

# `cqrs-consumer init` brings the event store along.

use strict;
use warnings;

use Test::More;

use Cqrs::Consumer;
use Cqrs::Services;

my $services = Cqrs::Services->get;
my $database = $services->database(install => 0);

my ($status, $text) = init('--partitions', 3);
is($status, 0, 'init installs the event store');
is($text, "The event store is installed, with 3 partitions.\n", 'and says so');
is($database->value('select cqrs.partition_count()'), 3, 'with as many partitions as asked for');

($status, $text) = init();
is($status, 0, 'again without harm');
is($database->value('select cqrs.partition_count()'), 3, 'and nothing changes');

($status, $text) = init('--partitions', 4);
is($status, 1, 'another number of partitions is refused');
like($text, qr/\Acqrs-consumer: postgres: ERROR: .*3 partitions/, 'with a sentence');
is($database->value('select cqrs.partition_count()'), 3, 'and still nothing changes');

($status, $text) = init('--postgres', 'host=127.0.0.1 port=1 dbname=x');
is($status, 1, 'without Postgres init ends');
like($text, qr/\Acqrs-consumer: postgres: /, 'with a sentence');

done_testing;


sub init {
    my (@args) = @_;

    my $consumer = Cqrs::Consumer->start(
        command => 'init', user => $services->env('PG_USER'),
        args    => \@args, (grep({ $_ eq '--postgres' } @args) ? () : (database => $database)),
    );

    return ($consumer->wait >> 8, $consumer->log);
}
