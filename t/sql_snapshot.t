#!/usr/bin/perl

# Somebody has had a snapshot for long, so no version of any row can be removed.  Blocks
# are counted, in the session that writes: what a batch touches does not become more.

use strict;
use warnings;

use Test::More;

use Cqrs::Services;

use constant { COUNTED => 20, MORE => 600, ACCOUNTS => 300 };

my $services = Cqrs::Services->get;
my $database = $services->database(partitions => 1, bank => 1);
my $writer   = $database->connect('cqrs_consumer');
my $old      = $database->connect;
my $number   = 0;

# as many as it takes for nobody to read a whole table
execute(map { command('open', $_) } 1 .. ACCOUNTS);
$database->dbh->do('analyze');
$writer->do(q{select cqrs.claim_checkpoint('rabbitmq', 0, 'relay')});

$old->begin_work;
$old->do('set transaction isolation level repeatable read');
my $seen = $old->selectrow_array('select count(*) from cqrs.events');

my $deposit = sub { execute(command('deposit', 1)) };
my $other   = sub { execute(command('deposit', 2 + $number % 100)) };
my $move    = sub { $writer->do(q{select cqrs.advance_checkpoint('rabbitmq', 0, 1, $1)}, undef, ++$number) };

$_->() for map { ($deposit, $move) } 1 .. 50;
$other->() for 1 .. 50;
my %before = map { ($_->[0] => counted($_->[1])) } [ deposit => $deposit ], [ other => $other ], [ move => $move ];
my %size   = map { ($_ => size($_)) } qw(cqrs.streams cqrs.checkpoints);

$_->() for map { ($deposit, $move) } 1 .. MORE;
my %after = map { ($_->[0] => counted($_->[1])) } [ deposit => $deposit ], [ other => $other ], [ move => $move ];

cmp_ok(size($_), '>=', $size{$_} + 3, "an old snapshot keeps every version of a row of $_") for sort keys %size;
is($old->selectrow_array('select count(*) from cqrs.events'), $seen, 'and still sees what it saw');

# An index may have become one level deeper.
flat('deposit', qr/^cqrs\./,            'a batch for a stream that is written to all the time touches as much as before');
flat('deposit', qr/^cqrs\.streams/,     '... in particular of the heads of streams');
flat('other',   qr/^(?:cqrs|bank)\./,   'a batch for any other stream does, too, with its read tables');
flat('move',    qr/^cqrs\.checkpoints/, 'so does a checkpoint that is moved all the time');

$old->rollback;
$_->disconnect for $writer, $old;

done_testing;


sub command {
    my ($type, $account) = @_;

    return sprintf '{"id": "00000000-0000-8000-8000-%012d", "stream": "account-%s", "type": "%s", '
        . '"data": {"amount": 1}, "user": "alice"}', ++$number, $account, $type;
}


sub execute {
    my @outcomes = @{ $writer->selectcol_arrayref('select status from cqrs.execute(0, 0, $1)', undef,
            '[' . join(',', @_) . ']') };
    die "@outcomes\n" if grep { $_ ne 'completed' } @outcomes;
}


# Blocks that this session touches, by table or index, when it does something so often.
sub counted {
    my ($what) = @_;

    $writer->begin_work;
    my %before = blocks();
    $what->() for 1 .. COUNTED;
    my %after = blocks();
    $writer->commit;

    return { map { ($_ => ($after{$_} - ($before{$_} // 0)) / COUNTED) } keys %after };
}


sub blocks {
    return map { @$_ } @{ $writer->selectall_arrayref(<<'SQL') };
select n.nspname || '.' || c.relname, pg_stat_get_xact_blocks_fetched(c.oid)
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
 where n.nspname in ('cqrs', 'bank') and c.relkind in ('r', 'i')
SQL
}


sub size { return $database->value('select pg_relation_size($1::regclass) / 8192', $_[0]) }


sub flat {
    my ($what, $tables, $title) = @_;

    my ($before, $after) = map { my $blocks = $_; sum(map { $blocks->{$_} } grep { /$tables/ } keys %$blocks) }
        $before{$what}, $after{$what};

    cmp_ok($before, '>', 0, "$what: $before blocks");
    cmp_ok($after, '<=', 1.5 * $before, $title)
        or diag(map { sprintf "%-40s %6.1f %6.1f\n", $_, $before{$what}{$_} // 0, $after{$what}{$_} }
            grep { $after{$what}{$_} } sort keys %{ $after{$what} });
}


sub sum { my $sum = 0; $sum += $_ for @_; return $sum }
