package Cqrs::Invariants;

# What must be true of the store, the broker and Redis, whatever happened on the way.
#
#   my $invariants = Cqrs::Invariants->new(database => $database, vhost => $vhost, redis => $redis,
#                                          partitions => 4);
#   $invariants->watch;                  before the first event: to see all of them
#   $invariants->settle(\@ids);          waits until there is nothing left to do anywhere
#   $invariants->check(\@ids);           all of what follows, and its tests
#
#   $invariants->check_outcomes(\@ids);  each command has one, and none was parked
#   $invariants->check_log;              positions, versions, their order
#   $invariants->check_folds;            states and read tables are the fold of the log
#   $invariants->check_money;            none was made or lost
#   $invariants->check_transfers;        each arrived or came back
#   $invariants->check_events;           RabbitMQ got each event, in order
#   $invariants->check_notifications;    Redis has each notification once, in order
#   $invariants->check_queues;           nothing waits, nothing is dead
#
# They may be called again and again: events and notifications are looked at once,
# those that came since.  After a Redis that forgot everything say redis_forgot().

use strict;
use warnings;

use JSON ();
use Test::More;

use Cqrs::Commands;
use Cqrs::Wait qw(wait_until);

use constant SETTLE => 120;

my $json = JSON->new->utf8;

sub new {
    my ($class, %args) = @_;

    my $self = bless {
        partitions => 4, positions => {}, seen => {}, repeated => 0, told => {}, forgot => {}, %args,
    }, $class;
    $self->{hash} = Cqrs::Commands->new(partitions => $self->{partitions});

    return $self;
}

sub value { my ($self, @query) = @_; return $self->{database}->value(@query) }

sub watch {
    my ($self) = @_;

    wait_until { $self->{vhost}->has_exchange('cqrs.events') } 20, 'the consumer declares its topology';
    $self->{vhost}->declare_queue('probe');
    $self->{vhost}->bind('probe', 'cqrs.events', '#');
}

sub settle {
    my ($self, $ids) = @_;

    wait_until {
        $self->value('select count(*) from cqrs.inbox where id = any ($1::uuid[])', $ids) >= @$ids
    } SETTLE, 'every command has its outcome';

    # a transfer may be on its way: as an event, as a message, as a command
    wait_until { $self->value('select in_flight = 0 from bank.audit') } SETTLE,
        'every transfer has arrived or was undone';

    wait_until {
        $self->value(<<'SQL') == 0
            select count(*)
              from (select partition, max(position) as position from cqrs.events group by partition) as log
              left join cqrs.checkpoints as c on c.sink = 'rabbitmq' and c.partition = log.partition
             where c.position is distinct from log.position
SQL
    } SETTLE, 'every event has reached RabbitMQ';

    wait_until {
        my %sent = @{ $self->{redis}->command('HGETALL', 'cqrs:sent') };
        my $due = $self->{database}->dbh->selectall_arrayref(
            'select partition, max(sequence) from cqrs.notifications group by partition');
        !grep { ($sent{ $_->[0] } || 0) != $_->[1] } @$due;
    } SETTLE, 'every notification has reached Redis';
}

sub check {
    my ($self, $ids) = @_;

    $self->check_outcomes($ids);
    $self->check_log;
    $self->check_folds;
    $self->check_money;
    $self->check_transfers;
    $self->check_events;
    $self->check_notifications;
    $self->check_queues;
}

sub check_outcomes {
    my ($self, $ids) = @_;

    is($self->value(<<'SQL', $ids), scalar(@$ids), 'each command has exactly one outcome, and none was parked');
        select count(*) from cqrs.inbox where id = any ($1::uuid[]) and status in ('completed', 'rejected')
SQL
    is($self->value(<<'SQL'), 0, 'no command has two');
        select count(*) from (select from cqrs.inbox group by id having count(*) > 1) as twice
SQL
    is($self->value(<<'SQL'), 0, 'each event belongs to a command that completed');
        select count(*)
          from cqrs.events as e
          left join cqrs.inbox as i on i.id = (e.metadata->>'command_id')::uuid
         where i.status is distinct from 'completed'
SQL
}

sub check_log {
    my ($self) = @_;

    is($self->value(<<'SQL'), 0, 'positions are dense');
        select count(*)
          from (select position - row_number() over (partition by partition order by position) as hole
                  from cqrs.events) as e
         where hole <> 0
SQL
    is($self->value(<<'SQL'), 0, 'versions are dense, and in the order of positions');
        select count(*)
          from (select version - row_number() over (partition by stream order by position) as hole
                  from cqrs.events) as e
         where hole <> 0
SQL
    is($self->value(<<'SQL'), 0, 'no event is there twice');
        select count(*) from (select from cqrs.events group by id having count(*) > 1) as twice
SQL
    is($self->value(<<'SQL'), 0, 'notifications are numbered without a hole');
        select count(*)
          from (select sequence - row_number() over (partition by partition order by sequence) as hole
                  from cqrs.notifications) as n
         where hole <> 0
SQL
}

sub check_folds {
    my ($self) = @_;

    is($self->value(<<'SQL'), 0, 'the head of each stream is its last event');
        select count(*)
          from (select stream, max(version) as version from cqrs.events group by 1) as log
          full join cqrs.streams as s using (stream)
         where s.version is distinct from log.version
SQL
    is($self->value(<<'SQL'), 0, 'the state of each stream is the fold of its events');
        select count(*)
          from (select * from cqrs.streams where state is not null) as s
          full join bank.folded() as f on s.stream = 'account-' || f.id
         where (s.state->>'owner', (s.state->>'balance')::numeric, s.version)
               is distinct from (f.owner, f.balance, f.version)
SQL
    is($self->value(<<'SQL'), 0, 'the read tables equal the fold of the events');
        select count(*)
          from bank.folded() as f
          full join api.accounts as a on a.id = f.id
         where (a.id, a.owner, a.balance, a.version) is distinct from (f.id, f.owner, f.balance, f.version)
SQL
}

sub check_money {
    my ($self) = @_;

    is($self->value('select balances + in_flight = deposits - withdrawals from bank.audit'), 1,
        'transfers neither make nor lose money');
}

sub check_transfers {
    my ($self) = @_;

    is($self->value(<<'SQL'), 0, 'each transfer arrived once, or came back once');
        select count(*)
          from (select e.data->>'transfer'
                  from cqrs.events as e
                 where e.type in ('transfer-sent', 'transfer-received', 'transfer-undone')
                 group by 1
                having count(*) filter (where e.type = 'transfer-sent') <> 1
                    or count(*) filter (where e.type <> 'transfer-sent') <> 1) as wrong
SQL
}

# At least once: a repetition is allowed, a hole or another order is not.
sub check_events {
    my ($self) = @_;

    my $store = $self->{database}->dbh->selectall_hashref(<<'SQL', 'id');
        select id::text, partition, position, stream, version, type from cqrs.events
SQL
    my ($seen, $positions, $disorder, $differ) = @$self{qw(seen positions)};
    for my $body ($self->{vhost}->take_all('probe')) {
        my $event = $json->decode($body);
        if ($seen->{ $event->{id} }++) {
            $self->{repeated}++;
            next;
        }

        $disorder //= "$event->{partition}/$event->{position} came after $positions->{ $event->{partition} }"
            if $event->{position} != ($positions->{ $event->{partition} } //= 0) + 1;
        $positions->{ $event->{partition} } = $event->{position};

        my $row = $store->{ $event->{id} };
        $differ++
            unless $row
            && $row->{partition} == $event->{partition}
            && $row->{position} == $event->{position}
            && $row->{version} == $event->{version}
            && $row->{stream} eq $event->{subject}
            && $event->{type} eq ($row->{stream} =~ /^([^-]+)/)[0] . ".$row->{type}";
    }

    is(scalar(keys %$seen), scalar(keys %$store), 'the events in RabbitMQ are the events in the store');
    ok(!$disorder, 'in position order, without a gap') or diag($disorder);
    ok(!$differ, 'and say the same');
}

sub repeated_events { return $_[0]{repeated} }

sub redis_forgot {
    my ($self) = @_;

    $self->{forgot}{$_} = 1 for 0 .. $self->{partitions} - 1;
}

# What came since the last time, by channel and partition, must be what the store
# has.  Redis keeps a thousand of each channel, so look often enough.
sub check_notifications {
    my ($self) = @_;

    my %due;
    for my $row (@{ $self->{database}->dbh->selectall_arrayref(<<'SQL') }) {
        select partition, sequence, channel, body from cqrs.notifications order by 1, 2
SQL
        my ($partition, $sequence, $channel, $body) = @$row;
        next if $sequence <= ($self->{told}{$partition} // 0);
        push @{ $due{$partition}{$channel} }, $body;
        $self->{last}{$partition} = $sequence;
    }

    my %channels = map { ($_ => 1) } map { keys %$_ } values %due;
    my %got;
    for my $channel (keys %channels) {
        my $after = $self->{cursors}{$channel};
        my $entries = $self->{redis}->command('XRANGE', "cqrs:history:$channel",
            defined $after && !%{ $self->{forgot} } ? "($after" : '-', '+');
        for (@$entries) {
            my $body = $_->[1][1];
            my $partition = $self->{hash}->partition($json->decode($body)->{subject});
            push @{ $got{$partition}{$channel} }, $body;
            $self->{cursors}{$channel} = $_->[0];
        }
    }

    my ($missing, $wrong) = (0, 0);
    for my $partition (keys %due) {
        for my $channel (keys %{ $due{$partition} }) {
            my @due = @{ $due{$partition}{$channel} };
            my @got = @{ $got{$partition}{$channel} // [] };

            # what a Redis that died had, was told when it lived; it goes on in order
            splice @due, 0, @due - @got if $self->{forgot}{$partition} && @got < @due;
            $missing += @due - @got if @due > @got;
            $wrong++ if "@got" ne "@due";
        }
    }
    is($missing, 0, 'no notification is missing in Redis');
    is($wrong, 0, 'each is there once, and in order');

    @{ $self->{told} }{ keys %{ $self->{last} } } = values %{ $self->{last} };
    $self->{forgot} = {};
}

sub check_queues {
    my ($self) = @_;

    my @queues = ('cqrs.reactions', map { "cqrs.commands.$_" } 0 .. $self->{partitions} - 1);
    my @full;
    my $empty = eval {
        wait_until { !(@full = grep { $self->_messages($_) } @queues) } 20, 'empty queues';
    };
    ok($empty, 'nothing is left in the queues') or diag("@full");
    is($self->{vhost}->queue_depth('cqrs.dead-letters'), 0, 'nothing is among the dead letters');
}

# Ready ones as they are, unacknowledged ones as they were a moment ago.
sub _messages {
    my ($self, $queue) = @_;

    return $self->{vhost}->queue_depth($queue)
        || $self->{vhost}->queue($queue)->{messages_unacknowledged};
}

1;
