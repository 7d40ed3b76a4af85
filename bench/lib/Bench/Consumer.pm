package Bench::Consumer;

# A backlog of deposits, worked off by cqrs-consumer.
#
# The daemon is stopped (SIGSTOP) while the backlog is made, so that making it
# is neither timed nor in its way, and its own start is not timed either.  The
# floor has a bank of its own, of the same size.

use v5.36;
use FindBin ();
use Time::HiRes qw(sleep time);

use Cqrs::Paths;

use Bench::Bank;
use Bench::Pgbench;
use Bench::Proc;
use Bench::Program;

my $BATCH = 64;
my $BATCHES_PER_SECOND = 128;              # of SECONDS: the size of the backlog
my $POLL  = 0.05;                          # more often costs more than it tells


sub new($class, $stand) {
    return bless {
        stand    => $stand,
        commands => $BATCH * $BATCHES_PER_SECOND * $stand->seconds,
        ours     => Bench::Bank->new($stand),
        handled  => Bench::Bank->new($stand, handler => Cqrs::Paths::build() . '/handlers/bank.so'),
        floor    => Bench::Bank->new($stand),
    }, $class;
}


sub groups($self) {
    my $one = "libpq, batches of $BATCH";
    my $two = "libpq, 2 batches under way";
    my $pgbench = "pgbench, batches of $BATCH";

    return {
        name     => 'consumer',
        of       => 'deposit',
        variants => {
            module => sub { $self->_module($self->{ours}) },
            'decided in C' => sub { $self->_module($self->{handled}) },
            $one   => sub { $self->_libpq(1) },
            $two   => sub { $self->_libpq(2) },
            $pgbench => sub { $self->_pgbench },
        },
        rows     => [
            (map { (
                { what => 'deposits/s', of => 'rate', better => 'more',
                  ours => 'module', floor => $_ },
                { what => 'a deposit, CPU us', of => 'cpu_us', better => 'less',
                  ours => 'module', floor => $_ },
            ) } $one, $two, $pgbench),
            map { (
                { what => "deposits/s, decided in C", of => 'rate', better => 'more',
                  ours => 'decided in C', floor => $_ },
                { what => 'the same, CPU us', of => 'cpu_us', better => 'less',
                  ours => 'decided in C', floor => $_ },
            ) } 'module'
        ],
    };
}


sub _module($self, $bank) {
    my $consumer = $bank->consumer;

    kill 'STOP', -$consumer->pid;
    $bank->publish($self->{commands});

    my $goal  = $bank->events + $self->{commands};
    my $meter = Bench::Proc::meter(consumer => $consumer->pid,
        $self->{stand}->pids(qw(postgres rabbitmq redis)));
    my $start = time;
    my $until = $start + $self->{stand}->patience;

    kill 'CONT', -$consumer->pid;

    while ($bank->events < $goal) {
        time < $until or die 'the backlog is not worked off: ' . $consumer->log;
        sleep $POLL;
    }

    my $result = {
        count   => $self->{commands},
        seconds => time - $start,
        cpu_of  => $meter->(),
    };

    $consumer->stop;

    return $result;
}


sub _libpq($self, $window) {
    return Bench::Program->once('store_floor', [
        $self->{floor}->store, -b => $Bench::Bank::BODY,
        -n => $self->{commands}, -k => $BATCH, -w => $window,
    ], $self->{stand}->patience, $self->{stand}->pids('postgres'));
}


# It makes the commands in SQL, so Postgres does that work too.
sub _pgbench($self) {
    my $database = $self->{floor}->database;
    my $epoch    = $database->value("select cqrs.claim_partition(0, 'pgbench')");

    my $done = Bench::Pgbench->once($database, [
        qw(-c 1), -t => $self->{commands} / $BATCH, -D => "epoch=$epoch",
        -D => "batch=$BATCH", -D => "accounts=$Bench::Bank::ACCOUNTS",
        -f => "$FindBin::Bin/deposits.sql",
    ], $self->{stand}->pids('postgres'));

    return { %$done, count => $self->{commands} };
}


sub stop($self) { return }


1;
