package Bench::Store;

# The event store alone, called by libpq in batches: what was decided in C beside
# what it decides in SQL, two partitions beside one and beside two stores, and ten
# million events beside ten thousand.
#
# EVENTS in the environment says how many the large store has.

use v5.36;
use List::Util qw(max sum);

use Cqrs::Paths;

use Bench::Bank;
use Bench::Program;

my $BATCH = 64;
my $BATCHES_PER_SECOND = 64;               # of SECONDS, for each partition
my $SMALL = 10_000;
my $LARGE = $ENV{EVENTS} || 10_000_000;
my $CHUNK = 500_000;
my $STREAM = 100;                          # events in each


sub new($class, $stand) {
    my $self = bless {
        stand    => $stand,
        commands => $BATCH * $BATCHES_PER_SECOND * $stand->seconds,
        one      => Bench::Bank->new($stand),
        handled  => Bench::Bank->new($stand, handler => Cqrs::Paths::build() . '/handlers/bank.so'),
        two      => Bench::Bank->new($stand, partitions => 2),
        small    => _filled($stand, $SMALL),
        large    => _filled($stand, $LARGE),
    }, $class;

    return $self;
}


sub groups($self) {
    return {
        name     => 'store, decided in C',
        of       => 'deposit',
        variants => {
            'decided in C'   => sub { _together($self->_start($self->{handled}, 0, '-c')) },
            'decided in SQL' => sub { _together($self->_start($self->{one}, 0)) },
        },
        rows     => _rows('decided in C', 'decided in SQL'),
    }, {
        name     => 'store, 2 partitions',
        of       => 'deposit',
        variants => {
            one => sub { _together($self->_start($self->{two}, 0)) },
            two => sub { _together($self->_start($self->{two}, 0), $self->_start($self->{two}, 1)) },
            'two stores' => sub { _together($self->_start($self->{two}, 0), $self->_start($self->{one}, 0)) },
        },
        rows     => [ @{ _rows('two', 'one') }, @{ _rows('two', 'two stores') } ],
    }, {
        name     => 'store, ' . _words($LARGE) . ' events',
        of       => 'deposit',
        variants => {
            _words($LARGE) => sub { _together($self->_start($self->{large}, 0)) },
            _words($SMALL) => sub { _together($self->_start($self->{small}, 0)) },
        },
        rows     => _rows(_words($LARGE), _words($SMALL)),
    };
}


sub _rows($ours, $floor) {
    return [
        { what => 'deposits/s', of => 'rate', better => 'more', ours => $ours, floor => $floor },
        { what => 'a deposit, CPU us', of => 'cpu_us', better => 'less', ours => $ours, floor => $floor },
    ];
}


sub _words($number) { return scalar reverse join ',', unpack '(A3)*', reverse $number }


sub _start($self, $bank, $partition, @options) {
    my $program = Bench::Program->start('store_floor', $bank->store($partition),
        -b => $Bench::Bank::BODY, -n => $self->{commands}, -k => $BATCH, -w => 2, @options);

    return { program => $program, self => $self };
}


# All are let go at once; the time is that of the longest.
sub _together(@running) {
    my $self  = $running[0]{self};
    my $meter = Bench::Proc::meter($self->{stand}->pids('postgres'),
        map { ("client $_" => $running[$_]{program}->pid) } 0 .. $#running);

    $_->{program}->go for @running;
    my @reports = map { $_->{program}->report($self->{stand}->patience) } @running;
    my $cpu = $meter->();
    $_->{program}->stop for @running;

    return {
        count   => sum(map { $_->{count} } @reports),
        seconds => max(map { $_->{seconds} } @reports),
        cpu_of  => { postgres => $cpu->{postgres}, client => sum(map { $cpu->{"client $_"} } 0 .. $#running) },
    };
}


# As if so many events had been appended in the last year, each by a command: the
# store's own tables are filled, by their owner.
sub _filled($stand, $events) {
    my $bank = Bench::Bank->new($stand);
    my $dbh  = $bank->database->dbh;

    say STDERR 'store: ', _words($events), ' events are made';

    $dbh->do('set synchronous_commit = off');
    $dbh->do("select cqrs.make_inbox_part(now() - m * interval '1 month') from generate_series(12, 0, -1) as m");

    for (my $done = 0; $done < $events; $done += $CHUNK) {
        my $n = $events - $done < $CHUNK ? $events - $done : $CHUNK;
        my $base = $dbh->selectrow_array('select cqrs.room_for_events(0, ?)', undef, $n);

        $dbh->do(<<'SQL', undef, $base, $STREAM, $STREAM, $done, $n, $events);
            with filler as (
                select i, gen_random_uuid() as command, now() - (1 - i / $6::float8) * interval '360 days' as at
                  from generate_series($4::bigint + 1, $4::bigint + $5::bigint) as i
            ), taken as (
                insert into cqrs.inbox (id, stream, type, status, version, recorded_at)
                select f.command, 'filler-' || (f.i - 1) / $2::bigint, 'fill', 'completed',
                       (f.i - 1) % $2::bigint + 1, f.at
                  from filler as f
            )
            insert into cqrs.events (partition, position, id, stream, version, type, revision, data, metadata,
                                     recorded_at)
            select 0, $1::bigint + f.i - $4::bigint, gen_random_uuid(), 'filler-' || (f.i - 1) / $3::bigint,
                   (f.i - 1) % $3::bigint + 1, 'filled', 1, '{"amount": 25}',
                   jsonb_build_object('command_id', f.command, 'user_id', 'bench', 'correlation_id', f.command), f.at
              from filler as f
SQL
    }

    $dbh->do(<<'SQL', undef, $events, $STREAM);
        insert into cqrs.streams (stream, partition, version, folded, state)
        select 'filler-' || s, 0, $2::bigint, $2::bigint, '{}'
          from generate_series(0, $1::bigint / $2::bigint - 1) as s
SQL
    $dbh->do('vacuum analyze');
    $dbh->do('checkpoint');

    return $bank;
}


sub stop($self) { return }


1;
