#!/usr/bin/perl

# Plugins: how one that will not do is refused, and what the bank's says to the
# fixtures of the bank.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

use Cqrs::Paths qw(build root spew);

my $bank  = build() . '/handlers/bank.so';
my $tests = build() . '/t/handlers';
my $files = root() . '/examples/bank/fixtures';

sub run_with {
    my @args = @_;

    open my $out, '-|', 'sh', '-c', 'exec timeout 60 "$@" 2>&1', 'sh',
        Cqrs::Paths::consumer(), @args
        or die "sh: $!";
    my $text = join '', <$out>;
    close $out;

    return ($? >> 8, $text);
}


# The bank in C decides as its fixtures say, and t/sql asks the one in SQL.

my ($status, $text) = run_with('spec', $files, '--handler', $bank);
my @fixtures = glob "$files/*.json";
my $count = 0;

for (split /\n/, $text) {
    if (/^(not )?ok \d+ - (.*)$/) {
        ok(!$1, $2);
        $count++;
    } elsif (/^#/) {
        diag($_);
    }
}
cmp_ok($count, '>=', scalar(@fixtures), 'each fixture was asked');
is($status, 0, 'and nothing was found');


# A fixture that is not fulfilled is found.

my $dir = tempdir(CLEANUP => 1);

for my $case (
    [ 'another event',  '"then": {"events": [{"type": "opened", "data": {"owner": "bob", "name": "1"}}]}' ],
    [ 'another type',   '"then": {"events": [{"type": "closed"}]}' ],
    [ 'an event more',  '"then": {"events": [{"type": "opened"}, {"type": "opened"}]}' ],
    [ 'no event',       '"then": {"events": []}' ],
    [ 'a rejection',    '"then": {"rejected": {"code": "already-open"}}' ],
    [ 'nothing at all', '"then": {}' ],
    [ 'another state',  '"then": {"events": [{"type": "opened"}]}, "state": {"owner": "alice", "name": "1", "balance": 1}' ],
    [ 'a state less',   '"then": {"events": [{"type": "opened"}]}, "state": {"owner": "alice", "name": "1"}' ],
    [ 'no state',       '"then": {"events": [{"type": "opened"}]}, "state": null' ],
) {
    my ($name, $then) = @$case;
    spew("$dir/wrong.json", qq({"name": "wrong", "given": [], "when": {"stream": "account-1",)
        . qq( "type": "open", "data": {}, "user": "alice"}, $then}));

    ($status, $text) = run_with('spec', $dir, '--handler', $bank);
    is($status, 1, "a fixture that expects $name is not fulfilled");
    like($text, qr/^not ok 1 - wrong\.json: wrong$/m, '... and named');
}

for my $case (
    [ 1, 'what is personal',                '"subject": "s3", "personal": {"name": "Bob"}, "revision": 1' ],
    [ 0, 'something else that is personal', '"subject": "s3", "personal": {"name": "Eve"}' ],
    [ 0, 'nothing personal',                '"subject": "s3", "personal": null' ],
    [ 0, 'another subject',                 '"subject": "s4", "personal": {"name": "Bob"}' ],
    [ 0, 'another revision',                '"subject": "s3", "personal": {"name": "Bob"}, "revision": 2' ],
) {
    my ($right, $name, $members) = @$case;
    spew("$dir/wrong.json", qq({"name": "person", "given": [)
        . q({"type": "met", "data": {}, "subject": "s1", "personal": {"name": "Ada"}},)
        . q({"type": "met", "data": {}, "subject": "s2", "personal": null}],)
        . q("when": {"stream": "person-1", "type": "meet", "data": {"subject": "s3", "name": "Bob"}},)
        . qq("then": {"events": [{"type": "met", "data": {}, $members}]}, "state": {"s1": "Ada", "s2": null, "s3": "Bob"}}));

    ($status, $text) = run_with('spec', $dir, '--handler', "$tests/person.so");
    is($status, $right ? 0 : 1, "a fixture that expects $name, where something was erased") or diag($text);
}

spew("$dir/wrong.json", '[');
($status, $text) = run_with('spec', $dir, '--handler', $bank);
is($status, 1, 'a fixture that is no JSON fails');
unlink "$dir/wrong.json";

($status, $text) = run_with('spec', $dir, '--handler', $bank);
is($status, 1, 'no fixtures are no success');

($status, $text) = run_with('spec', $files);
is($status, 1, 'nor are fixtures without a handler');
like($text, qr/^# No handler was loaded for its stream\.$/m, '... which is said');


# What docs/handler.md shows can be done.

my ($source) = Cqrs::Paths::slurp(root() . '/docs/handler.md') =~ /^```c\n(.*?)^```/ms;
my ($build)  = Cqrs::Paths::slurp(root() . '/docs/handler.md') =~ /^(cc .*)$/m;
spew("$dir/counter.c", $source);
$build =~ s/-Iconsumer/-I@{[ root() ]}\/consumer -Wall -Wextra -Werror -Wno-unused-parameter/;
is(system("cd $dir && $build") >> 8, 0, 'the example of the manual is built as the manual says');
spew("$dir/fixtures.json", <<'EOS');
[{"name": "adds", "given": [{"type": "added", "data": {"n": 2}}, {"type": "?", "data": {}}],
  "when": {"stream": "counter-1", "type": "add", "data": {"n": 3}},
  "then": {"events": [{"type": "added", "data": {"n": 3}}]}, "state": {"sum": 5}},
 {"name": "refuses", "given": [], "when": {"stream": "counter-1", "type": "add", "data": {}},
  "then": {"rejected": {"code": "no-number", "message": "Say how many."}}},
 {"name": "does nothing else", "given": [], "when": {"stream": "counter-1", "type": "jump", "data": {}},
  "then": {"rejected": {"code": "unknown-command"}}}]
EOS
($status, $text) = run_with('spec', $dir, '--handler', "$dir/counter.so");
is($status, 0, '... and works') or diag($text);
unlink "$dir/fixtures.json";


# What can't be loaded is refused, in one sentence, before anything is done.

for my $case (
    [ [ "$dir/none.so" ], qr/none\.so" cannot be used: .*No such file/ ],
    [ [ 'none.so' ], qr/"none\.so" cannot be used: .*No such file/ ],
    [ [ $files . '/open.json' ], qr/open\.json" cannot be used: / ],
    [ [ "$tests/no_symbol.so" ], qr/it has no function cqrs_handler\(\)$/ ],
    [ [ "$tests/wrong_abi.so" ], qr/it was built for version 1001 of cqrs_handler\.h, not 1$/ ],
    [ [ $bank, $bank ], qr/category account has another handler already$/ ],
    [ [ map { $bank } 1 .. 17 ], qr/more than 16 handlers in "handler"$/ ],
) {
    my ($handlers, $sentence) = @$case;

    for my $command ([], ['spec', $files]) {
        ($status, $text) = run_with(@$command, map { ('--handler', $_) } @$handlers);
        is($status, 2, "handlers that will not do are refused ($sentence)");
        like($text, qr/\Acqrs-consumer: [^\n]*\n\z/, '... in one sentence');
        like($text, $sentence, '... that says why');
    }
}

{
    local $ENV{CQRS_HANDLER} = "$bank, $tests/odd.so";
    ($status, $text) = run_with('spec', $files);
    is($status, 0, 'handlers may be named by CQRS_HANDLER');
}

($status, $text) = run_with('spec', "$dir/none", '--handler', $bank);
is($status, 2, 'a folder that is not there is a mistake');
like($text, qr/none" cannot be read: No such file or directory$/, '... which is said');

done_testing;
