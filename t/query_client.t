# The stock client, @supabase/postgrest-js, reads here what it reads from
# PostgREST.  npm installs it once, beside what is built.

use strict;
use warnings;

use TAP::Parser;
use Test::More;

use Cqrs::Paths qw(build root);
use Cqrs::Shop;

my $folder = build() . '/js';
my $why = unavailable();
plan(skip_all => $why) if $why;

my $shop = Cqrs::Shop->new(server => <<'CONFIG');
cqrs_query_aggregates on;
    cqrs_query_plan on;
    cqrs_query_tx_end commit-allow-override;
CONFIG

local $ENV{NODE_PATH} = "$folder/node_modules";
my $parser = TAP::Parser->new({ exec => [
    'node', root() . '/t/js/query_client.js', $shop->nginx->url(''),
    $shop->token('customer', sub => 'ada'),
] });

while (my $result = $parser->next) {
    if ($result->is_test) {
        (my $title = $result->description) =~ s/^- //;
        ok($result->is_ok, $title);
    } elsif (!$result->is_plan) {
        diag($result->as_string);
    }
}

is($parser->exit, 0, 'the client ends by itself');
cmp_ok($parser->tests_run, '>', 100, 'having read all');

$shop->stop;

done_testing;

# Why the client can't be tested here, if so.
sub unavailable {
    for my $program (qw(node npm)) {
        return "there is no $program" if system("command -v $program >/dev/null") != 0;
    }

    my $package = root() . '/t/js/package.json';
    my $installed = "$folder/package.json";
    return if system('cmp', '-s', $package, $installed) == 0;

    system('mkdir', '-p', $folder) == 0 or die "cannot make $folder\n";
    unlink $installed;
    Cqrs::Paths::spew("$installed.new", Cqrs::Paths::slurp($package));

    # a registry that isn't reachable is no reason to wait for minutes
    my @npm = qw(npm install --no-package-lock --no-audit --no-fund --silent
                 --fetch-retries=1 --fetch-timeout=20000);
    rename "$installed.new", $installed or die "cannot write $installed: $!\n";
    return if system("cd '$folder' && timeout 120 @npm >npm.log 2>&1") == 0;

    unlink $installed;
    return "npm can't install the client, see $folder/npm.log";
}
