#!/usr/bin/perl

# Two sessions at once: writers of one partition, old and new owner, readers.
#
# Each step waits until Postgres says that the other session waits; nothing here
# depends on how long anything takes.

use strict;
use warnings;

use DBD::Pg qw(:async);
use Test::More;

use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->get;
my $database = $services->database(partitions => 1, bank => 1);
my ($one, $two) = ($database->connect('cqrs_consumer'), $database->connect('cqrs_consumer'));
my $number = 0;
my %running;

my $epoch = claim($one, 'one');
execute($one, $epoch, command('open', $_)) for 1 .. 3;


# --- two writers with the same epoch ---

{
    my ($deposit, $other) = (command('deposit', 1), command('deposit', 1));

    $one->begin_work;
    execute($one, $epoch, $deposit);
    start($two, $epoch, $other);
    waits($two, 'the second writer of a partition waits for the first');

    is($database->value('select max(position) from cqrs.events'), 3, 'nothing is seen of either before the commit');
    $one->commit;

    is_deeply(finish($two), [[1, 'completed', 0]], 'then it goes on');
    is_deeply(stream(1), [1, 2, 3], 'with the next version');
    dense('and the next position');
}

{
    my $deposit = command('deposit', 1);

    $one->begin_work;
    execute($one, $epoch, $deposit);
    start($two, $epoch, $deposit);
    waits($two, 'who has the same command waits');
    $one->commit;

    is_deeply(finish($two), [[1, 'completed', 1]], 'and finds that it is a duplicate');
    is_deeply(stream(1), [1 .. 4], 'it took effect once');
}

{
    my $deposit = command('deposit', 1);

    $one->begin_work;
    execute($one, $epoch, $deposit);
    start($two, $epoch, $deposit);
    waits($two, 'who has the same command waits');
    $one->rollback;

    is_deeply(finish($two), [[1, 'completed', 0]], 'and executes it when the first one failed');
    is_deeply(stream(1), [1 .. 5], 'it took effect once');
    dense('positions have no gap where the first one was');
}

{
    my $open = command('open', 'new');

    $one->begin_work;
    execute($one, $epoch, $open);
    start($two, $epoch, command('open', 'new'));
    waits($two, 'two who open the same account wait for each other');
    $one->commit;

    is_deeply(finish($two), [[1, 'rejected', 0]], 'the second one is told that it is open');
}

{
    my $failing = command('deposit', 'held');

    $one->begin_work;
    $one->selectall_arrayref('select * from cqrs.park(0, $1, $2, $3, $4)', undef, $epoch, $failing, 'XX999', 'no');
    start($two, $epoch, command('deposit', 'held'));
    waits($two, 'who follows a command that is being parked waits');
    $one->commit;

    is_deeply(finish($two), [[1, 'parked', 0]], 'and is parked behind it');
}


# --- an old owner and a new one ---

{
    $one->begin_work;
    execute($one, $epoch, command('deposit', 2));

    begin_query($two, q{select cqrs.claim_partition(0, 'two')});
    waits($two, 'a new owner waits for the batch that the old one has in hand');
    $one->commit;
    my $new = finish($two)->[0][0];

    is_deeply(stream(2), [1, 2], 'which takes effect');

    is($new, $epoch + 1, 'then the partition has a new epoch');

    eval { execute($one, $epoch, command('deposit', 2)) };
    is($one->state, 'QS001', 'and the old owner can append no more');
    is_deeply(stream(2), [1, 2], 'nothing of it is left');

    execute($two, $new, command('deposit', 2));
    is_deeply(stream(2), [1, 2, 3], 'the new one can');
    $epoch = $new;
}

{
    $two->begin_work;
    my $new = claim($two, 'two again');
    start($one, $epoch, command('deposit', 2));
    waits($one, 'an old owner whose batch meets the claim waits');
    $two->commit;

    eval { finish($one) };
    is($one->state, 'QS001', 'and is refused, although its epoch was right when it began');
    is_deeply(stream(2), [1, 2, 3], 'nothing of it is left');
    $epoch = $new;
}

{
    $two->begin_work;
    claim($two, 'gone');
    start($one, $epoch, command('deposit', 2));
    waits($one, 'an owner waits for a claim');
    $two->rollback;

    is_deeply(finish($one), [[1, 'completed', 0]], 'that comes to nothing, and is the owner still');
}

{
    $one->do(q{select cqrs.claim_checkpoint('rabbitmq', 0, 'one')});
    $two->begin_work;
    $two->do(q{select cqrs.claim_checkpoint('rabbitmq', 0, 'two')});
    begin_query($one, q{select cqrs.advance_checkpoint('rabbitmq', 0, 1, 3)});
    waits($one, 'who moves a checkpoint waits for a claim');
    $two->commit;

    eval { finish($one) };
    is($one->state, 'QS001', 'and then moves it no more');
    is($database->value(q{select cqrs.read_checkpoint('rabbitmq', 0)}), 0, 'it stands where it was');
}


# --- readers ---

{
    my $last = $database->value('select max(position) from cqrs.events');

    $one->begin_work;
    execute($one, $epoch, command('deposit', 3));

    is($two->selectrow_array('select count(*) from cqrs.read_events(0, $1, 10)', undef, $last), 0,
        'a reader does not wait for a writer, and sees nothing of it');
    $one->commit;
    is($two->selectrow_array('select min(position) from cqrs.read_events(0, $1, 10)', undef, $last), $last + 1,
        'it goes on after the last position it has seen, and misses nothing');
}

{
    my ($reader, $writer) = map { fork_session($_) } \&read_all, \&write_many;

    waitpid($writer, 0);
    is($?, 0, 'someone writes 200 batches');
    waitpid($reader, 0);
    is($?, 0, 'a reader meanwhile saw every position, in order');
}


# --- from outside ---

{
    my $other = $services->database(install => 0);
    my $long  = $other->connect;

    $long->begin_work;
    $long->do('create table t (i int)');

    my $last = $database->value('select max(position) from cqrs.events');
    execute($one, $epoch, command('deposit', 3));
    is($two->selectrow_array('select count(*) from cqrs.read_events(0, $1, 10)', undef, $last), 1,
        'a long write transaction in another database delays no reader');
    $long->rollback;
    $long->disconnect;
}

{
    $one->begin_work;
    start($two, $epoch, command('deposit', 3));
    is_deeply(finish($two), [[1, 'completed', 0]], 'an open transaction that has not written is in nobody\'s way');
    $one->rollback;
}

is($database->value('select count(*) from cqrs.inbox where status = $1', 'parked'), 2, 'in all that only what was parked is parked');
dense('and positions are dense');

$_->disconnect for $one, $two;

done_testing;


sub command {
    my ($type, $account) = @_;

    return sprintf '{"id": "00000000-0000-8000-8000-%012d", "stream": "account-%s", "type": "%s", '
        . '"data": {"amount": 1}, "user": "alice"}', ++$number, $account, $type;
}


sub claim {
    my ($dbh, $owner) = @_;

    return scalar $dbh->selectrow_array('select cqrs.claim_partition(0, $1)', undef, $owner);
}


sub execute {
    my ($dbh, $epoch, @commands) = @_;

    return $dbh->selectall_arrayref('select ordinal, status, duplicate from cqrs.execute(0, $1, $2)', undef,
        $epoch, '[' . join(',', @commands) . ']');
}


# The same, without waiting for it; finish() returns the rows.
sub start {
    my ($dbh, $epoch, @commands) = @_;

    begin_query($dbh, 'select ordinal, status, duplicate from cqrs.execute(0, $1, $2)',
        $epoch, '[' . join(',', @commands) . ']');
}


sub begin_query {
    my ($dbh, $sql, @bind) = @_;

    $running{$dbh} = $dbh->prepare($sql, { pg_async => PG_ASYNC });
    $running{$dbh}->execute(@bind);
}


sub finish {
    my ($dbh) = @_;

    my $sth = delete $running{$dbh};
    $dbh->pg_result;

    return $sth->fetchall_arrayref;
}


# Until it is blocked by another session.
sub waits {
    my ($dbh, $title) = @_;

    wait_until {
        $database->value('select cardinality(pg_blocking_pids($1)) > 0', $dbh->{pg_pid})
    } 10, $title;
    pass($title);
}


sub stream {
    my ($account) = @_;

    return $database->dbh->selectcol_arrayref(
        'select version from cqrs.events where stream = $1 order by position', undef, "account-$account");
}


sub dense {
    my ($title) = @_;

    is($database->value('select count(*) = max(position) from cqrs.events'), 1, $title);
}


# --- processes of their own ---

sub fork_session {
    my ($work) = @_;

    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;

    my $done = eval { $work->($database->connect('cqrs_consumer')) };
    print STDERR $@ if $@;
    require POSIX;
    POSIX::_exit($done ? 0 : 1);
}


sub write_many {
    my ($dbh) = @_;

    for my $batch (1 .. 200) {
        $number = 100_000 + $batch * 10;
        execute($dbh, $epoch, map { command('deposit', 1 + ($batch + $_) % 3) } 1 .. 5);
    }

    return 1;
}


sub read_all {
    my ($dbh) = @_;

    my $last = 0;
    my $end  = $dbh->selectrow_array('select count(*) from cqrs.read_events(0, 0, 10000)') + 1_000;

    wait_until {
        my $positions = $dbh->selectcol_arrayref('select position from cqrs.read_events(0, $1, 100)', undef, $last);

        for my $position (@$positions) {
            die "position $position came after $last\n" if $position != $last + 1;
            $last = $position;
        }
        $last >= $end;
    } 60, "position $end";

    return 1;
}
