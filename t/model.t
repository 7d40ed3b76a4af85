#!/usr/bin/perl

# Random commands in random order, and a model that says beforehand what must come of
# each: thousands by several sessions at the store, some hundred through the daemon,
# where the seed says whether SQL or C decides for the bank.
#
# A failure names the step and the seed; the same CQRS_SEED goes the same way.
# CQRS_STEPS sets how many steps.

use strict;
use warnings;

use lib 't/lib';

use DBD::Pg qw(:async);
use JSON ();
use Test::More;

use Cqrs::Amqp;
use Cqrs::Bank;
use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Invariants;
use Cqrs::Model;
use Cqrs::Paths qw(build);
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant { PARTITIONS => 4, SESSIONS => 4, STEPS => 500, BATCH => 20, MESSAGES => 800 };

my $json = JSON->new->canonical->utf8;
my $seed = srand($ENV{CQRS_SEED} // time);
note("seed $seed, give it as CQRS_SEED");

my $services = Cqrs::Services->get;

subtest 'several sessions at the store' => \&at_the_store;
srand $seed;
subtest 'through RabbitMQ and the daemon' => \&through_the_daemon;

done_testing;


# --- at the store ---

my ($database, $model, @sessions, %epochs, %pending, %reacted, %kinds, $step);

sub at_the_store {
    $database = $services->database(bank => 1, partitions => PARTITIONS);
    $database->dbh->do($_) for Cqrs::Model::domain();
    $model    = Cqrs::Model->new(partitions => PARTITIONS);
    @sessions = map { $database->connect('cqrs_consumer') } 1 .. SESSIONS;
    claim($sessions[0], $_) for 0 .. PARTITIONS - 1;

    my @steps = (
        [ 40, 'a batch'                                => \&plain ],
        [ 10, 'batches of several partitions at once'  => \&side_by_side ],
        [ 8,  'a batch that comes to nothing'          => \&aborted ],
        [ 6,  'the same batch twice at once'           => \&twice_at_once ],
        [ 4,  'another owner'                          => \&another_owner ],
        [ 4,  'one who is not the owner'               => \&not_the_owner ],
        [ 4,  'a claim that meets a batch'             => \&claim_meets_batch ],
        [ 20, 'what the process managers want'         => \&react ],
        [ 6,  'what was parked comes back'             => \&release ],
    );
    my $sum = 0;
    $sum += $_->[0] for @steps;

    for (1 .. $ENV{CQRS_STEPS} // STEPS) {
        my $dice = rand $sum;
        my ($chosen) = grep { ($dice -= $_->[0]) < 0 } @steps;
        $step = "step $_, $chosen->[1]";
        $kinds{ $chosen->[1] }++;
        if (!eval { $chosen->[2]->(int rand PARTITIONS); 1 }) {
            fail($step);
            diag("CQRS_SEED=$seed, $step: $@");
            last;
        }
    }
    settle_reactions();

    note(sprintf '%4d  %s', $kinds{$_}, $_) for sort keys %kinds;
    compare_all($model, $database);

    my $invariants = Cqrs::Invariants->new(database => $database, partitions => PARTITIONS);
    $invariants->check_log;
    $invariants->check_folds;
    $invariants->check_money;

    $_->disconnect for @sessions;
}


sub plain {
    my ($partition) = @_;

    carry_out($partition, batch($partition));
}


# Like the daemon: a batch that fails is gone through, and what fails is parked.
sub carry_out {
    my ($partition, @batch) = @_;

    my $session = session();

    while (@batch) {
        my $expected = $model->predict(@batch);

        if (defined $expected->{fails}) {
            fails_with($session, 'XX999', $partition, $epochs{$partition}, @batch);
            my @before = splice @batch, 0, $expected->{fails};
            carry_out($partition, @before) if @before;
            my $poison = shift @batch;
            compare([ rows($session, 'park($1, $2, $3, $4, $5)', $partition, $epochs{$partition},
                $json->encode($poison), 'XX999', 'The domain raised.') ],
                [ { status => 'parked', duplicate => 0, code => 'XX999' } ]);
            $model->park($poison, 'XX999');
            next;
        }

        compare([ execute($session, $partition, $epochs{$partition}, @batch) ], $expected->{results});
        $model->commit($expected);
        last;
    }
}


sub side_by_side {
    my ($first) = @_;

    my %batches;
    for my $partition (map { ($first + $_) % PARTITIONS } 0 .. 1 + int rand(PARTITIONS - 1)) {
        my @batch = batch($partition);
        my $expected = $model->predict(@batch);
        $batches{$partition} = [ \@batch, $expected, $sessions[ $partition % SESSIONS ] ];
    }

    start($batches{$_}[2], $_, $epochs{$_}, @{ $batches{$_}[0] }) for sort keys %batches;

    my @again;
    for my $partition (sort keys %batches) {
        my ($batch, $expected, $session) = @{ $batches{$partition} };
        if (defined $expected->{fails}) {
            eval { finish($session) };
            die 'it did not raise' if ($session->state // '') ne 'XX999';
            push @again, [ $partition, @$batch ];
            next;
        }
        compare([ finish($session) ], $expected->{results});
        $model->commit($expected);
    }
    carry_out(@$_) for @again;
}


sub aborted {
    my ($partition) = @_;

    my @batch = batch($partition);
    my $expected = $model->predict(@batch);
    my $session = session();

    $session->begin_work;
    if (defined $expected->{fails}) {
        fails_with($session, 'XX999', $partition, $epochs{$partition}, @batch);
    } else {
        compare([ execute($session, $partition, $epochs{$partition}, @batch) ], $expected->{results});
    }
    $session->rollback;
    give_back(@batch);
}


sub twice_at_once {
    my ($partition) = @_;

    my @batch = batch($partition);
    my $expected = $model->predict(@batch);
    return carry_out($partition, @batch) if defined $expected->{fails};

    my ($one, $two) = two_sessions();
    my $commits = rand > 0.3;

    $one->begin_work;
    compare([ execute($one, $partition, $epochs{$partition}, @batch) ], $expected->{results});
    start($two, $partition, $epochs{$partition}, @batch);
    waits($two);
    if ($commits) {
        $one->commit;
        $model->commit($expected);
        $expected = $model->predict(@batch);
    } else {
        $one->rollback;
    }
    compare([ finish($two) ], $expected->{results});
    $model->commit($expected);
}


# Piece by piece, with new commands in between; sometimes it fails again.
sub release {
    my ($partition) = @_;

    my @held = grep { $model->partition($_) == $partition } sort keys %{ $model->{parked} };
    return plain($partition) unless @held;

    my $stream = $held[ rand @held ];
    cure($model->{parked}{$stream}[0]) if rand > 0.3;
    rows(session(), 'release($1)', $stream);

    while (my @rows = rows(session(), 'read_released($1, $2)', $partition, 1 + int rand BATCH)) {
        come_back($partition, map { $json->decode($_->{command}) } @rows);
        plain($partition) if rand > 0.7;
    }
}


sub cure {
    my ($id) = @_;

    $database->dbh->do('insert into bank.cured values ($1)', undef, $id);
    $model->cure($id);
}


sub come_back {
    my ($partition, @batch) = @_;

    my $session = session();
    my $expected = $model->predict_released(@batch);

    if (defined $expected->{fails}) {
        fails_with($session, 'XX999', $partition, $epochs{$partition}, @batch);
        my @before = splice @batch, 0, $expected->{fails};
        come_back($partition, @before) if @before;
        my $poison = shift @batch;
        compare([ rows($session, 'park($1, $2, $3, $4, $5)', $partition, $epochs{$partition},
            $json->encode($poison), 'XX999', 'The domain raised.') ],
            [ { status => 'parked', duplicate => 1, code => 'XX999' } ]);
        $model->keep($poison, 'XX999');
        compare([ execute($session, $partition, $epochs{$partition}, @batch) ],
            [ map { { status => 'parked', duplicate => 1, code => 'stream-held' } } @batch ]);
        return;
    }

    compare([ execute($session, $partition, $epochs{$partition}, @batch) ], $expected->{results});
    $model->commit_released($expected, @batch);
}


sub another_owner { claim(session(), $_[0]) }


sub not_the_owner {
    my ($partition) = @_;

    my @batch = batch($partition);
    fails_with(session(), 'QS001', $partition, $epochs{$partition} + (rand > 0.3 ? -1 : 1), @batch);
    give_back(@batch);
}


sub claim_meets_batch {
    my ($partition) = @_;

    my @batch = batch($partition);
    my $expected = $model->predict(@batch);
    my ($one, $two) = two_sessions();
    my $old = $epochs{$partition};

    $one->begin_work;
    my ($new) = $one->selectrow_array('select cqrs.claim_partition($1, $2)', undef, $partition, 'new');
    start($two, $partition, $old, @batch);
    waits($two);

    if (rand > 0.3) {
        $one->commit;
        $epochs{$partition} = $new;
        eval { finish($two) };
        die "it was not fenced" if ($two->state // '') ne 'QS001';
        carry_out($partition, @batch);
    } else {
        $one->rollback;
        if (defined $expected->{fails}) {
            eval { finish($two) };
            die 'it did not raise' if ($two->state // '') ne 'XX999';
            carry_out($partition, @batch);
        } else {
            compare([ finish($two) ], $expected->{results});
            $model->commit($expected);
        }
    }
}


# Sometimes the same events twice, as after a crash: the commands are the same.
sub react {
    my ($partition) = @_;

    my $last = grep { $model->partition($_->[0]) == $partition } @{ $model->{log} };
    my $from = $reacted{$partition} // 0;
    $from -= int rand 5 if rand > 0.7;
    $from = 0 if $from < 0;

    my $commands = session()->selectall_arrayref('select * from cqrs.react($1, $2)', { Slice => {} },
        $partition, [ $from + 1 .. $last ]);
    for (@$commands) {
        push @{ $pending{ $_->{partition} } }, {
            id => $_->{id}, stream => $_->{stream}, type => $_->{type}, data => $json->decode($_->{data}),
            user => $_->{user_id}, causation_id => $_->{causation_id}, correlation_id => $_->{correlation_id},
        };
    }
    $reacted{$partition} = $last;
}


# Until nothing follows from what has happened.
sub settle_reactions {
    my $more = 1;
    while ($more) {
        $more = 0;
        react($_) for 0 .. PARTITIONS - 1;
        for my $partition (0 .. PARTITIONS - 1) {
            my @batch = splice @{ $pending{$partition} // [] };
            my @new = grep { !$model->{outcomes}{ $_->{id} } } @batch;
            next unless @new;
            carry_out($partition, @batch);
            $more = 1;
        }
    }
}


# Random commands and what the process managers want, in any order.
sub batch {
    my ($partition) = @_;

    my @batch = $model->batch($partition, 1 + int rand BATCH);
    for my $command (splice @{ $pending{$partition} // [] }) {
        splice @batch, int rand(@batch + 1), 0, $command;
    }

    return @batch;
}


# What was not executed is still wanted.
sub give_back {
    for my $command (grep { $_->{causation_id} } @_) {
        push @{ $pending{ $model->partition($command->{stream}) } }, $command;
    }
}


# --- sessions ---

sub session { return $sessions[ rand @sessions ] }


sub two_sessions {
    my $one = int rand @sessions;

    return @sessions[ $one, ($one + 1 + int rand(@sessions - 1)) % @sessions ];
}


sub claim {
    my ($session, $partition) = @_;

    ($epochs{$partition}) = $session->selectrow_array('select cqrs.claim_partition($1, $2)', undef,
        $partition, 'model');
}


sub execute {
    my ($session, $partition, $epoch, @batch) = @_;

    return rows($session, 'execute($1, $2, $3)', $partition, $epoch, $json->encode(\@batch));
}


sub rows {
    my ($session, $call, @bind) = @_;

    return @{ $session->selectall_arrayref("select * from cqrs.$call", { Slice => {} }, @bind) };
}


my %running;

sub start {
    my ($session, $partition, $epoch, @batch) = @_;

    $running{$session} = $session->prepare('select * from cqrs.execute($1, $2, $3)', { pg_async => PG_ASYNC });
    $running{$session}->execute($partition, $epoch, $json->encode(\@batch));
}


sub finish {
    my ($session) = @_;

    my $sth = delete $running{$session};
    $session->pg_result;

    return @{ $sth->fetchall_arrayref({}) };
}


sub waits {
    my ($session) = @_;

    wait_until {
        $database->value('select cardinality(pg_blocking_pids($1)) > 0', $session->{pg_pid})
    } 10, 'a session to wait';
}


sub fails_with {
    my ($session, $sqlstate, $partition, $epoch, @batch) = @_;

    eval { execute($session, $partition, $epoch, @batch) };
    my $state = $@ ? $session->state : 'no failure';
    die "SQLSTATE $sqlstate was expected, not $state" if $state ne $sqlstate;
}


# --- comparing ---

# A command has a row per notification; all say the same of it.
sub compare {
    my ($rows, $expected) = @_;

    my @got;
    $got[ $_->{ordinal} - 1 ] //= $_ for @$rows;
    die 'there are ' . @got . ' outcomes, not ' . @$expected if @got != @$expected;

    for my $n (0 .. $#got) {
        my ($got, $due) = ($got[$n], $expected->[$n]);
        for my $what (qw(status duplicate version code)) {
            next unless exists $got->{$what} && exists $due->{$what};
            my ($is, $should) = map { $_ // 'null' } $got->{$what}, $due->{$what};
            die "$what of command @{[ $n + 1 ]} is $is, not $should" if $is ne $should;
        }
    }
}


sub compare_all {
    my ($model, $database) = @_;

    my $dbh = $database->dbh;
    my %outcomes = map { ($_->[0] => join ' ', map { $_ // '-' } @$_[ 1 .. 3 ]) }
        @{ $dbh->selectall_arrayref('select id::text, status, version, code from cqrs.inbox') };
    my %expected = map { ($_ => join ' ', map { $_ // '-' } @{ $model->{outcomes}{$_} }{qw(status version code)}) }
        keys %{ $model->{outcomes} };

    my %by;
    $by{ "$_->{status} " . ($_->{code} // '') }++ for values %{ $model->{outcomes} };
    note(sprintf '%5d  %s', $by{$_}, $_) for sort keys %by;

    is(scalar(keys %outcomes), scalar(keys %expected), keys(%expected) . ' commands, each with exactly one outcome');
    my @wrong = grep { ($outcomes{$_} // 'none') ne $expected{$_} } sort keys %expected;
    is(scalar(@wrong), 0, 'the one that the model says')
        or diag("CQRS_SEED=$seed, $wrong[0]: " . ($outcomes{ $wrong[0] } // 'none') . ", not $expected{ $wrong[0] }");

    my @log = map { join ' ', @$_ } @{ $dbh->selectall_arrayref('select stream, version, type from cqrs.events order by 1, 2') };
    my @due = map { join ' ', @$_ } sort { $a->[0] cmp $b->[0] || $a->[1] <=> $b->[1] } @{ $model->{log} };
    is_deeply(\@log, \@due, @due . ' events, those that the model says');

    my %states = map { ($_->[0] => join ' ', map { $_ // '-' } @$_[ 1 .. 4 ]) } @{ $dbh->selectall_arrayref(<<'SQL') };
        select stream, version, state->>'owner', state->>'name', trunc((state->>'balance')::numeric * 100)
          from cqrs.streams
SQL
    my %folds = map { ($_ => join ' ', map { $_ // '-' } @{ $model->{state}{$_} }{qw(version owner name balance)}) }
        keys %{ $model->{state} };
    is_deeply(\%states, \%folds, 'states that are what the model has');

    is_deeply(parked($dbh), $model->{parked}, 'what is parked, in the order of each stream');
}


sub parked {
    my ($dbh) = @_;

    my %parked;
    push @{ $parked{ $_->[0] } }, $_->[1]
        for @{ $dbh->selectall_arrayref('select stream, id::text from cqrs.parked order by number') };

    return \%parked;
}


# --- through the daemon ---

# No transfers: when the commands of the process managers come is anybody's guess.
# The daemon dies once in the middle, which changes nothing.  In the end what was parked
# comes back.

sub through_the_daemon {
    my $database = $services->database(bank => 1, partitions => PARTITIONS);
    my $vhost    = $services->vhost;
    my $redis    = $services->redis;
    my $form     = Cqrs::Bank::any;
    my ($poison, @handler) = poisonous($database, $form);
    note("the bank is decided in $form");

    my $model = Cqrs::Model->new(partitions => PARTITIONS, accounts => 60, user => "model-$$-");
    my @arguments = (database => $database, vhost => $vhost, redis => $redis, args => \@handler);
    my $consumer = Cqrs::Consumer->start(@arguments);
    my $invariants = Cqrs::Invariants->new(@arguments, partitions => PARTITIONS);

    $invariants->watch;
    Cqrs::Commands->new(@arguments, partitions => PARTITIONS)->ready;

    my $amqp = Cqrs::Amqp->connect($vhost->port, $vhost->name);
    $amqp->confirm_select;
    my $published = 0;
    my %sent;

    while ($published < MESSAGES) {
        my $partition = int rand PARTITIONS;

        for my $command ($model->batch($partition, 1 + int rand BATCH, transfers => 0, unreadable => 0)) {
            $published = $amqp->publish('cqrs.commands', "$command->{type}.$partition",
                { message_id => $command->{id}, type => $command->{type} },
                {
                    stream => $command->{stream}, user => $command->{user},
                    defined $command->{expected_version} ? ('expected-version' => $command->{expected_version}) : (),
                },
                $json->encode($command->{data}));

            $sent{ $command->{id} } //= $command;
            my $expected = $model->predict($command);
            if (defined $expected->{fails}) { $model->park($command, $poison) }
            else                            { $model->commit($expected) }
        }
    }
    wait_until { $amqp->confirmed(1) == $published } 30, 'the confirms';

    my $done = MESSAGES / 4;
    wait_until { $database->value('select count(*) from cqrs.inbox') > $done } 30, 'some work to be done';
    $consumer->kill;
    $consumer = Cqrs::Consumer->start(@arguments);

    $invariants->settle([ keys %{ $model->{outcomes} } ]);
    note("$published messages");
    compare_all($model, $database);

    if ($form eq 'SQL') {
        $database->dbh->do('insert into bank.cured select id from cqrs.parked');
    } else {
        $consumer->stop;
        $consumer = Cqrs::Consumer->start(@arguments, args => [ Cqrs::Bank::arguments($form) ]);
    }
    $database->dbh->do('select from cqrs.release(null)');
    for my $ids (values %{ $model->{parked} }) {
        my @batch = @sent{@$ids};
        $model->cure($_) for @$ids;
        $model->commit_released($model->predict_released(@batch), @batch);
    }
    wait_until { !$database->value('select count(*) from cqrs.parked') } 30, 'what was parked to come back';
    $invariants->settle([ keys %{ $model->{outcomes} } ]);
    compare_all($model, $database);
    $invariants->check_log;
    $invariants->check_folds;
    $invariants->check_money;
    $invariants->check_events;
    $invariants->check_notifications;
    $invariants->check_queues;

    is($consumer->stop, 0, 'SIGTERM: the daemon leaves');
}


# What fails for a poisoned command is parked with this code; arguments of the daemon.
sub poisonous {
    my ($database, $form) = @_;

    if ($form eq 'SQL') {
        $database->dbh->do($_) for Cqrs::Model::domain();
        return 'XX999';
    }
    Cqrs::Bank::decided_in($database, $form);

    return ('handler-failed', Cqrs::Bank::arguments($form, build() . '/t/handlers/poisoned.so'));
}
