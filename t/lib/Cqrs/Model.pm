package Cqrs::Model;

# The bank and the store's rules once more, in Perl and in memory: what must come out
# of each command, said before it is executed.
#
#   my $model = Cqrs::Model->new(partitions => 4, accounts => 40, users => 4);
#   my @batch = $model->batch($partition, $size, %kinds);    random commands of a partition;
#                         transfers => 0, unreadable => 0: without those, or without what
#                         the daemon would not even take to the store
#   my $expected = $model->predict(@batch);   of each: status, duplicate, version, code;
#                                             nothing is remembered yet
#   $model->commit($expected);                now it is
#   $model->park($command, $code);            the same, for one that was put aside
#
#   $model->cure($id);                        it fails no more; to be said to cured() of domain(), too
#   my $expected = $model->predict_released(@parked);    the same for parked ones that come back
#   $model->commit_released($expected, @parked);
#   $model->keep($command, $code);            one that came back in vain
#
# A command is what cqrs.execute takes.  One whose data has "poison" makes the domain
# raise (see domain()): predict() says so by the status 'fails', and that what comes
# before it must be executed, and it be parked, before the rest.
#
# Randomness comes from rand alone: the same seed gives the same commands.

use strict;
use warnings;

use JSON ();

use Cqrs::Commands;

use constant { LARGEST => 1_000_000_000, ERRCODE => 'XX999' };

my @amounts = (0, -5, 1_000_000_001, 0.125, '"12"', 'null');

sub new {
    my ($class, %args) = @_;

    my $self = bless {
        partitions => 4, accounts => 40, users => 4, user => 'user', number => 0,
        state    => {},     # by stream: version, owner, name, balance in cents; owner undefined: not open
        outcomes => {},     # by id
        held     => {},     # by stream
        parked   => {},     # by stream: ids, in order
        log      => [],     # stream, version, type
        known    => {},     # by partition: commands that were made
        cured    => {},     # by id
        released => {},     # by id: of the batch that comes back
        %args,
    }, $class;
    $self->{salt} //= int rand 2**31;

    for my $account (1 .. $self->{accounts}) {
        push @{ $self->{streams}{ $self->partition("account-$account") } }, "account-$account";
    }

    return $self;
}

# To be run in the database: the bank whose rules raise when they meet poison.
sub domain {
    return (<<'SQL', <<'SQL', <<'SQL');
        create table bank.cured (id uuid primary key)
SQL
        create function bank.decide_or_fail(state jsonb, command cqrs.command)
            returns cqrs.decision language plpgsql
        as $$
        begin
            if command.data ? 'poison' and not exists (select from bank.cured as c where c.id = command.id) then
                raise exception using errcode = 'XX999', message = 'the domain met something it does not know';
            end if;
            return bank.decide(state, command);
        end $$
SQL
        select cqrs.register('account', decide => 'bank.decide_or_fail', evolve => 'bank.evolve',
                             project => 'bank.project', react => 'bank.react', notify => 'bank.notify')
SQL
}

sub partition { my ($self, $stream) = @_; return Cqrs::Commands::partition($self, $stream) }


# --- random commands ---

sub batch {
    my ($self, $partition, $size, %kinds) = @_;

    my @batch = map { $self->_random($partition, \%kinds) } 1 .. $size;
    my $known = $self->{known}{$partition} //= [];
    push @$known, @batch;

    # the same id again: the same command, or something else that has it by mistake
    for my $command (@batch) {
        next if rand > 0.1;
        $command = { %{ $known->[ rand @$known ] } };
        $command->{data} = { amount => 3 } if rand > 0.8;
    }

    return @batch;
}

sub _random {
    my ($self, $partition, $kinds) = @_;

    my $streams = $self->{streams}{$partition};
    my $stream = $streams->[ rand @$streams ];
    my ($account) = $stream =~ /-(\d+)/;
    my $user = $self->{user} . $account % $self->{users};
    my $dice = rand;
    my $open = $self->{state}{$stream} ? 0.05 : 0.40;
    my $spend = $kinds->{transfers} // 1 ? 0.75 : 0.93;
    my $amount = (1 + int rand 9900) / 100;
    my ($type, $data) =
          $dice < $open  ? ('open', { name => "Account $account" })
        : $dice < 0.50   ? ('deposit', { amount => $amount })
        : $dice < $spend ? ('withdraw', { amount => $amount })
        : $dice < 0.93   ? ('transfer', { amount => $amount, to => $self->_other($account) })
        : $dice < 0.95   ? ('receive-transfer', { amount => $amount })    # not without a cause
        : $dice < 0.97   ? ('deposit', { amount => JSON->new->allow_nonref->decode($amounts[ rand @amounts ]) })
        : $dice < 0.98   ? ('close', {})
        :                  ('deposit', { amount => 1 });

    my $command = {
        id => $self->_id, stream => $stream, type => $type, data => $data,
        user => rand > 0.05 ? $user : "$self->{user}x",
    };

    $dice = rand;
    if ($dice < 0.15) {
        my $version = ($self->{state}{$stream} // {})->{version} // 0;
        $command->{expected_version} =
              $dice < 0.05 ? "$version"
            : $dice < 0.07 ? $version + 1 + int rand 3
            : $dice < 0.10 ? 'exists'
            : $dice < 0.13 ? 'no-stream'
            :                '0';
        $command->{expected_version} .= '';
    }
    elsif ($dice < 0.16) { $command->{expected_version} = 'latest' }
    elsif ($dice < 0.17) { $command->{type} = 'No Name' if $kinds->{unreadable} // 1 }
    elsif ($dice < 0.18) { $command->{data} = []        if $kinds->{unreadable} // 1 }
    elsif ($dice < 0.20) { $command->{stream} = $self->_ghost($partition) }
    elsif ($dice < 0.204) { $command->{data} = { %$data, poison => JSON::true } }

    return $command;
}

sub _id {
    my ($self) = @_;

    return sprintf '%08x-%04x-4%03x-8%03x-%012x', $self->{salt}, 0, 0, 0, ++$self->{number};
}

# To one beyond the last: it does not exist, and the transfer comes back.
sub _other {
    my ($self, $account) = @_;

    my $to = 1 + int rand($self->{accounts} + 1);

    return rand > 0.02 ? "$to" : 'no such name';
}

# Of a category that nobody registered.
sub _ghost {
    my ($self, $partition) = @_;

    my $n = int rand 1000;
    $n++ until $self->partition("ghost-$n") == $partition;

    return "ghost-$n";
}


# --- what must come of them ---

sub predict {
    my ($self, @batch) = @_;

    my %change = (state => {}, outcomes => {}, held => {}, parked => [], log => [], results => []);

    for my $command (@batch) {
        my $id = $command->{id};
        my $first = $change{outcomes}{$id};
        $first //= $self->{outcomes}{$id} unless $self->{released}{$id};

        if ($first) {
            push @{ $change{results} }, { %$first, duplicate => 1 };
            next;
        }

        my $outcome = $self->_outcome($command, \%change);
        if ($outcome->{status} eq 'fails') {
            $change{fails} = @{ $change{results} };
            last;
        }

        $change{outcomes}{$id} = $outcome;
        push @{ $change{parked} }, $command if $outcome->{status} eq 'parked';
        push @{ $change{results} }, { %$outcome, duplicate => 0 };
    }

    return \%change;
}

sub commit {
    my ($self, $change) = @_;

    for my $what (qw(state outcomes held)) {
        @{ $self->{$what} }{ keys %{ $change->{$what} } } = values %{ $change->{$what} };
    }
    push @{ $self->{log} }, @{ $change->{log} };
    push @{ $self->{parked}{ $_->{stream} } }, $_->{id} for @{ $change->{parked} };
}

sub park {
    my ($self, $command, $code) = @_;

    $self->{outcomes}{ $command->{id} } = { status => 'parked', code => $code, version => undef };
    $self->{held}{ $command->{stream} } = 1;
    push @{ $self->{parked}{ $command->{stream} } }, $command->{id};
}

sub cure { my ($self, $id) = @_; $self->{cured}{$id} = 1 }

sub predict_released {
    my ($self, @batch) = @_;

    local $self->{released} = { map { ($_->{id} => 1) } @batch };

    return $self->predict(@batch);
}

sub commit_released {
    my ($self, $change, @batch) = @_;

    $self->commit($change);

    for my $stream (map { $_->{stream} } @batch) {
        shift @{ $self->{parked}{$stream} };
        next if @{ $self->{parked}{$stream} };
        delete $self->{parked}{$stream};
        delete $self->{held}{$stream};
    }
}

sub keep {
    my ($self, $command, $code) = @_;

    $self->{outcomes}{ $command->{id} } = { status => 'parked', code => $code, version => undef };
}

# What the store says by itself, then what the bank says.
sub _outcome {
    my ($self, $command, $change) = @_;

    my $stream = $command->{stream};

    return refused('invalid-command')
        if $command->{type} !~ /^[a-z0-9][a-z0-9._-]*$/
        || ref $command->{data} ne 'HASH'
        || ($command->{expected_version} // 'exists') !~ /^(no-stream|exists|[0-9]+)$/;
    return refused('unknown-category') if $stream !~ /^account-/;
    return { status => 'parked', code => 'stream-held', version => undef }
        if !$self->{released}{ $command->{id} } && ($change->{held}{$stream} // $self->{held}{$stream});

    my $state = { %{ $change->{state}{$stream} // $self->{state}{$stream} // { version => 0 } } };
    my ($version, $expected) = ($state->{version}, $command->{expected_version});

    return { status => 'rejected', code => 'conflict', version => $version }
        if defined $expected
        && ($expected eq 'no-stream' ? $version > 0 : $expected eq 'exists' ? $version == 0
            : $expected != $version);

    return { status => 'fails' } if $command->{data}{poison} && !$self->{cured}{ $command->{id} };

    my ($code, $event) = $self->_decide($state, $command);
    return { status => 'rejected', code => $code, version => $version } if $code;

    $state->{version}++;
    push @{ $change->{log} }, [ $stream, $state->{version}, $event ];
    $change->{state}{$stream} = $state;

    return { status => 'completed', code => undef, version => $state->{version} };
}

sub refused { return { status => 'rejected', code => $_[0], version => undef } }

# The code of a rejection, or undef and the event; the state is changed.
sub _decide {
    my ($self, $state, $command) = @_;

    my ($type, $data, $user) = @$command{qw(type data user)};
    my $open = defined $state->{owner};
    my ($account) = $command->{stream} =~ /^account-(.*)/;

    if ($type eq 'open') {
        return 'already-open' if $open;
        @$state{qw(owner name balance)} = ($user, $data->{name} // $account, 0);
        return (undef, 'opened');
    }

    return 'unknown-command' unless $type =~ /^(?:deposit|withdraw|transfer|receive-transfer|undo-transfer)$/;
    return 'not-allowed' if $type =~ /-transfer$/ && !defined $command->{causation_id};

    my $cents = cents($data->{amount}) // return 'invalid-amount';

    if ($type eq 'receive-transfer') {
        return (undef, 'transfer-refused') unless $open;
        $state->{balance} += $cents;
        return (undef, 'transfer-received');
    }

    return 'not-open' unless $open;

    if ($type eq 'deposit' || $type eq 'undo-transfer') {
        $state->{balance} += $cents;
        return (undef, $type eq 'deposit' ? 'deposited' : 'transfer-undone');
    }

    return 'not-owner' if $state->{owner} ne ($user // '');
    return 'invalid-destination'
        if $type eq 'transfer' && (($data->{to} // '') !~ /^[A-Za-z0-9_-]+$/ || $data->{to} eq $account);
    return 'insufficient-funds' if $state->{balance} < $cents;

    $state->{balance} -= $cents;

    return (undef, $type eq 'withdraw' ? 'withdrawn' : 'transfer-sent');
}

# Undefined if it is no amount: a JSON number above 0, two decimals at most.
sub cents {
    my ($amount) = @_;

    return undef if !defined $amount || JSON->new->allow_nonref->encode($amount) =~ /^"/;
    my $cents = sprintf '%.0f', $amount * 100;

    return $amount > 0 && $amount <= LARGEST && abs($amount * 100 - $cents) < 1e-6 ? $cents : undef;
}

1;
