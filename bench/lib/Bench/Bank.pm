package Bench::Bank;

# A bank of one partition with open accounts, for those paths that change some.

use v5.36;

use Cqrs::Consumer;
use Cqrs::Wait;

use Bench::Program;

our $BODY     = '{"amount": 25}';
our $USER     = 'bench';
our $ACCOUNTS = 100;


sub new($class, $stand) {
    my $self = bless {
        stand    => $stand,
        database => $stand->services->database(bank => 1, partitions => 1),
        vhost    => $stand->services->vhost,
        redis    => $stand->services->redis,
    }, $class;

    Bench::Program->once('store_floor', [
        $self->store, -y => 'open', -b => '{}', -n => $ACCOUNTS, -k => $ACCOUNTS,
    ], $stand->patience);

    return $self;
}


sub database($self) { return $self->{database} }
sub vhost($self)    { return $self->{vhost} }
sub redis($self)    { return $self->{redis} }


# The options of our programs that name its store, its broker, its accounts.
sub store($self)  { return -d => $self->{database}->conninfo, _accounts() }
sub broker($self) { return -a => $self->{vhost}->url, _accounts() }

sub _accounts() {
    return -s => 'account-%ld', -r => $ACCOUNTS, -P => 1, -i => $USER;
}


# How many events it has; partition 0 is its only one, and first in the index.
sub events($self) {
    return $self->{database}->value('select max(position) from cqrs.events where partition = 0');
}


# The daemon, when it works: a first deposit has gone through it.
sub consumer($self) {
    my $consumer = Cqrs::Consumer->start(
        database => $self->{database}, vhost => $self->{vhost}, redis => $self->{redis},
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
