#!/usr/bin/perl

# The bank's examples, examples/bank/fixtures/*.json, asked of its functions in SQL by
# cqrs.spec: no daemon, no broker, and nothing is written.

use strict;
use warnings;

use Encode qw(decode_utf8 encode_utf8);
use File::Basename qw(basename);
use Test::More;

use Cqrs::Paths qw(root slurp);
use Cqrs::Services;

my $services = Cqrs::Services->get;
my $database = $services->database(partitions => 1, bank => 1);
my $dbh      = $database->dbh;

$dbh->do('set client_min_messages = warning');
$dbh->do('create schema tap');
$dbh->do('create extension pgtap schema tap');
$dbh->do('set search_path = public, tap');
$dbh->do('select no_plan()');

my @files = sort glob root() . '/examples/bank/fixtures/*.json';
ok(scalar @files, 'the bank has examples');

for my $file (@files) {
    my $said = $database->value(q{select cqrs.spec('account', $1)}, decode_utf8(slurp($file)));
    my ($result, $explained) = split /\n/, encode_utf8($said), 2;
    my ($not, $title) = $result =~ /^(not )?ok \d+ - (.*)$/;

    ok(!$not, basename($file, '.json') . ": $title") or diag($explained);
}

is($database->value('select (select count(*) from cqrs.events) + (select count(*) from cqrs.inbox)'), 0,
    'nothing was written');

done_testing;
