package Bench::Bank;

# A bank with open accounts, for those paths that change some.
#
#   Bench::Bank->new($stand)                     one partition, decided in SQL
#   Bench::Bank->new($stand, partitions => 2)
#   Bench::Bank->new($stand, handler => $file)   decided in C

use v5.36;

use Cqrs::Bank;
use Cqrs::Consumer;
use Cqrs::Wait;

use Bench::Program;

our $BODY     = '{"amount": 25}';
our $USER     = 'bench';
our $ACCOUNTS = 100;


sub new($class, $stand, %args) {
    my $partitions = $args{partitions} // 1;
    my $self = bless {
        stand      => $stand,
        partitions => $partitions,
        handler    => $args{handler},
        database   => $stand->services->database(bank => 1, partitions => $partitions),
        vhost      => $stand->services->vhost,
        redis      => $stand->services->redis,
    }, $class;

    for my $partition (0 .. $partitions - 1) {
        Bench::Program->once('store_floor', [
            $self->store($partition), -y => 'open', -b => '{}', -n => $ACCOUNTS, -k => $ACCOUNTS,
        ], $stand->patience);
    }

    Cqrs::Bank::decided_in($self->{database}, 'C') if $args{handler};

    return $self;
}


sub database($self) { return $self->{database} }
sub vhost($self)    { return $self->{vhost} }
sub redis($self)    { return $self->{redis} }


# The options of our programs that name its store, its broker, its accounts.
sub store($self, $partition = 0) {
    return -d => $self->{database}->conninfo, -p => $partition, $self->_accounts;
}

sub broker($self) { return -a => $self->{vhost}->url, $self->_accounts }

# So many for each partition, about.
sub _accounts($self) {
    return -s => 'account-%ld', -r => $ACCOUNTS * $self->{partitions}, -P => $self->{partitions}, -i => $USER;
}


# How many events it has; partition 0 is its only one.  Asked all the time: so it is a
# function that knows the newest part, and not the whole relation.
sub events($self) {
    return $self->{database}->value('select last from cqrs.events_head(0)');
}


# The daemon, when it works: a first deposit has gone through it.
sub consumer($self) {
    my $consumer = Cqrs::Consumer->start(
        database => $self->{database}, vhost => $self->{vhost}, redis => $self->{redis},
        args     => [ $self->{handler} ? ('--handler', $self->{handler}) : () ],
    );

    Cqrs::Wait::wait_until(sub {
        $consumer->running or die 'the consumer ended: ' . $consumer->log;
        $self->{vhost}->has_queue('cqrs.commands.0');
    }, 30, 'the consumer to declare its queue');

    my $events = $self->events;
    $self->publish(1);
    Cqrs::Wait::wait_until(sub { $self->events > $events }, 30, 'a first deposit');

    return $consumer;
}


sub publish($self, $commands) {
    Bench::Program->once('amqp_floor', [
        $self->broker, -b => $BODY, -w => 256, -n => $commands,
    ], $self->{stand}->patience);

    return;
}


1;
