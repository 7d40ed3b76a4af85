#!/usr/bin/perl

# Runs the C unit tests, one program for each t/unit/*.c, as subtests.

use strict;
use warnings;

use TAP::Parser;
use Test::More;

use Cqrs::Paths;

for my $source (glob Cqrs::Paths::root() . '/t/unit/*.c') {
    my ($name) = $source =~ m{([^/]+)\.c\z};

    subtest $name => sub { run_program(Cqrs::Paths::build() . "/t/$name") };
}

done_testing;


sub run_program {
    my ($program) = @_;

    local $ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
    my $parser = TAP::Parser->new({ exec => [ 'sh', '-c', "exec '$program' 2>&1" ] });

    my $failed;
    while (my $result = $parser->next) {
        if ($result->is_test) {
            (my $description = $result->description) =~ s/^- //;
            $failed = !ok($result->is_ok, $description);
        } elsif (!$result->is_plan) {
            $failed ? diag($result->as_string) : note($result->as_string);
        }
    }

    ok(!$parser->parse_errors, 'its output is TAP') or diag($parser->parse_errors);
    is($parser->exit, 0, 'it exits without a fault, a leak or what a sanitizer finds');
    cmp_ok($parser->tests_run, '>', 0, 'there are tests in it');
}
