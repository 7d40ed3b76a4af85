# What the catalogue reads from a real database, checked by programs in C:
# t/unit/cqrs_catalog_shop.c, and t/unit/cqrs_catalog_rows.c, which also says how
# the rows are written that tests without a server begin with.

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

is(run_program('cqrs_catalog_rows'), 2, 'all tests of the rows were run');
cmp_ok(run_program('cqrs_catalog_shop'), '>', 5, 'there were tests of the catalogue');

done_testing;


sub run_program {
    my ($name) = @_;

    my $program = build() . "/t/$name";
    my $parser = TAP::Parser->new({ exec => [ 'sh', '-c', "exec '$program' 2>&1" ] });

    while (my $result = $parser->next) {
        if ($result->is_test) {
            (my $description = $result->description) =~ s/^- //;
            ok($result->is_ok, $description);
        } elsif (!$result->is_plan) {
            note($result->as_string);
        }
    }

    is($parser->exit, 0, "$name exits without a fault or a leak");

    return $parser->tests_run;
}
