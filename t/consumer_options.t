#!/usr/bin/perl

# What the daemon is told, and how it refuses what it can't use.

use strict;
use warnings;

use Test::More;

use Cqrs::Paths;

sub run_with {
    my ($env, @args) = @_;

    local %ENV = (%ENV, %$env);
    open my $out, '-|', 'sh', '-c', 'exec timeout 20 "$@" 2>&1', 'sh',
        Cqrs::Paths::consumer(), @args
        or die "sh: $!";
    my $text = join '', <$out>;
    close $out;

    return ($? >> 8, $text);
}

my ($status, $text) = run_with({}, '--help');
is($status, 0, '--help is no mistake');
like($text, qr/--$_ .* CQRS_\U$_/, "it tells of --$_ and its variable")
    for qw(postgres rabbitmq redis batch name partitions);

($status, $text) = run_with({}, '--version');
like($text, qr/\Acqrs-consumer \d+\.\d+\.\d+\n\z/, '--version');

for my $case (
    [ ['--nonsense'],               'there is no option "--nonsense"' ],
    [ ['--batch'],                  'option "--batch" wants a value' ],
    [ [qw(--batch 0)],              '"0" in "batch" is not a number from 1 to 1000' ],
    [ [qw(--batch 64x)],            '"64x" in "batch" is not a number from 1 to 1000' ],
    [ [qw(--partitions 257)],       '"257" in "partitions" is not a number from 1 to 256' ],
    [ ['--name', 'a b'],            '"a b" in "name" is not a name of at most 63 letters' ],
    [ ['--name', 'a' x 64],         '"' . 'a' x 64 . '" in "name" is not a name' ],
    [ [qw(--log-level loud)],       'invalid level "loud" in "log-level"' ],
    [ [qw(--postgres nonsense=1)],  'invalid connection string in "postgres"' ],
    [ [qw(--rabbitmq http://a/)],   'invalid address in "rabbitmq": it is not like amqp://' ],
    [ [qw(--rabbitmq amqps://a/)],  'invalid address in "rabbitmq": amqps is not supported' ],
    [ [ '--rabbitmq', ',' ],         'no address in "rabbitmq"' ],
    [ [qw(--redis redis://)],       'invalid address in "redis": it is not like redis://' ],
    [ [qw(--redis redis://a:0/)],   'invalid address in "redis": it is not like redis://' ],
    [ [qw(--redis redis://a/x)],    'invalid address in "redis": it is not like redis://' ],
    [ [qw(--redis rediss://a/)],    'invalid address in "redis": rediss is not supported' ],
    [ ['dance'],                    'there is no command "dance"' ],
    [ [qw(dead)],  '"dead" wants a word more: list, show, retry, discard' ],
    [ [qw(dead dance)],             'there is no command "dead dance", but list, show, retry, discard' ],
    [ [qw(dead show)],              '"dead show" wants an id or a place' ],
    [ [qw(dead show 1 2)],          '"2" is one argument too many' ],
    [ [qw(dead list 1)],            '"1" is one argument too many' ],
    [ [qw(run fast)],               '"fast" is one argument too many' ],
) {
    my ($args, $sentence) = @$case;

    ($status, $text) = run_with({}, @$args);
    is($status, 2, "@$args: exit status 2");
    like($text, qr/\Acqrs-consumer: \Q$sentence\E[^\n]*\n\z/, 'and one sentence');
}

($status, $text) = run_with({ CQRS_BATCH => 'many' });
is($status, 2, 'a variable is checked like an option');
like($text, qr/"many" in "CQRS_BATCH" is not a number/, 'and named');

($status, $text) = run_with({ CQRS_POSTGRES => "password='s3cr3t" });
unlike($text, qr/s3cr3t/, 'a connection string that is wrong is not shown');

($status, $text) = run_with({ CQRS_REDIS => 'redis://:s3cr3t@/x' });
unlike($text, qr/s3cr3t/, 'nor is an address');

done_testing;
