# What the catalogue reads from a real database, checked by a program in C:
# t/unit/cqrs_catalog_shop.c.

use strict;
use warnings;

use TAP::Parser;
use Test::More;

use Cqrs::Paths qw(build root);
use Cqrs::Services;

my $database = Cqrs::Services->get->database(install => 0);
$database->run(root() . '/t/lib/query_schema.sql');

local $ENV{CQRS_SHOP} = $database->conninfo;
local $ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';

my $program = build() . '/t/cqrs_catalog_shop';
my $parser = TAP::Parser->new({ exec => [ 'sh', '-c', "exec '$program' 2>&1" ] });

while (my $result = $parser->next) {
    if ($result->is_test) {
        (my $description = $result->description) =~ s/^- //;
        ok($result->is_ok, $description);
    } elsif (!$result->is_plan) {
        note($result->as_string);
    }
}

is($parser->exit, 0, 'it exits without a fault or a leak');
cmp_ok($parser->tests_run, '>', 5, 'there were tests in it');

done_testing;
