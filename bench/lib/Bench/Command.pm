package Bench::Command;

# POST of a command, up to the 202 that follows RabbitMQ's confirm.

use v5.36;

use Cqrs::Wait;

use Bench::Node;
use Bench::Proc;
use Bench::Program;

my $BODY    = '{"amount": 25}';
my $STREAMS = 100;

# Without confirms commands are taken faster than RabbitMQ takes them from there: in
# bursts that nginx has room for, each when the one before has arrived.
my $BURST   = 4_000;
my $KEPT    = 16_000;

# What the memory of a worker is looked at after.
my $FEW     = 50_000;
my $MANY    = $ENV{COMMANDS} || 1_000_000;


sub new($class, $stand) {
    my $vhost = $stand->services->vhost;
    $stand->fresh_queue($vhost);

    my $nginx = $stand->nginx(<<"CONFIG");
        cqrs_rabbitmq    @{[ $vhost->url ]};
        cqrs_partitions  1;

        location ~ ^/accounts/(?<account>[\\w-]+)/(?<command>[a-z-]+)\$ {
            cqrs_command  \$command stream=account-\$account;
        }
        location ~ ^/at-once/(?<account>[\\w-]+)/(?<command>[a-z-]+)\$ {
            cqrs_rabbitmq         @{[ $vhost->url ]} max_unconfirmed=$KEPT;
            cqrs_command_confirm  off;
            cqrs_command          \$command stream=account-\$account;
        }
        location = /return {
            return  202;
        }
CONFIG

    return bless {
        stand   => $stand,
        vhost   => $vhost,
        nginx   => $nginx,
        fastify => Bench::Node->start('command', $vhost->url),
    }, $class;
}


sub groups($self) {
    my $path = '/accounts/%ld/deposit';

    my $many = {
        name     => 'command, 64',
        of       => 'POST',
        variants => {
            module        => sub { $self->_http($path, 64) },
            'librabbitmq' => sub { $self->_librabbitmq(64) },
            'fastify, amqplib' => sub { $self->_fastify($path, 64) },
        },
        rows     => [
            (map { (
                { what => 'accepted/s', of => 'rate', better => 'more',
                  ours => 'module', floor => $_ },
                { what => 'accepted, CPU us', of => 'cpu_us', better => 'less',
                  ours => 'module', floor => $_ },
            ) } 'librabbitmq', 'fastify, amqplib'),
            { what => "accepted, CPU us without RabbitMQ's", of => 'http_us', better => 'less',
              ours => 'module', floor => 'fastify, amqplib' },
        ],
    };

    my $alone = {
        name     => 'command, 1',
        of       => 'POST',
        variants => {
            module        => sub { $self->_http($path, 1) },
            'librabbitmq' => sub { $self->_librabbitmq(1) },
        },
        rows     => [
            { what => 'POST to 202, median us', of => 'answer_p50', better => 'less',
              ours => 'module', floor => 'librabbitmq' },
        ],
    };

    my $unconfirmed = {
        name     => 'command, confirm off',
        of       => 'POST',
        variants => {
            module             => sub { $self->_bursts('/at-once/%ld/deposit', $self->{vhost}) },
            'nginx return 202' => sub { $self->_bursts('/return') },
        },
        rows     => [
            { what => "accepted/s, in bursts of $BURST", of => 'rate', better => 'more',
              ours => 'module', floor => 'nginx return 202' },
            { what => "accepted, CPU us without RabbitMQ's", of => 'http_us', better => 'less',
              ours => 'module', floor => 'nginx return 202' },
        ],
    };

    my $memory = {
        name     => 'command, memory',
        of       => 'POST',
        rounds   => 1,
        variants => {
            "1. after $FEW"  => sub { $self->_memory($path, $FEW) },
            "2. after $MANY" => sub { $self->_memory($path, $MANY) },
        },
        rows     => [
            { what => "bytes of a worker, after $MANY commands", of => 'bytes', better => 'less',
              ours => "2. after $MANY", floor => "1. after $FEW" },
        ],
    };

    return $many, $alone, $unconfirmed, $memory;
}


sub _http($self, $path, $connections) {
    $self->{stand}->fresh_queue($self->{vhost});

    return Bench::Program->once('http_load', [
        -p => $self->{nginx}->port, -c => $connections, -r => $STREAMS,
        -m => 'POST', -u => $path, -b => $BODY, -s => 202,
        -t => $self->{stand}->seconds,
    ], $self->{stand}->patience, nginx => $self->{nginx}->pid, $self->{stand}->pids('rabbitmq'));
}


sub _fastify($self, $path, $connections) {
    $self->{stand}->fresh_queue($self->{vhost});

    return Bench::Program->once('http_load', [
        -p => $self->{fastify}->port, -c => $connections, -r => $STREAMS,
        -m => 'POST', -u => $path, -b => $BODY, -s => 202,
        -t => $self->{stand}->seconds,
    ], $self->{stand}->patience, node => $self->{fastify}->pid, $self->{stand}->pids('rabbitmq'));
}


# For as long as other runs are, without the time in between.
sub _bursts($self, $path, $vhost = undef) {
    my $sum = {};

    $self->{stand}->fresh_queue($self->{vhost});

    # the first commands wait for a connection

    $self->_burst($path, 100);
    $self->_arrived(100) if $vhost;

    my ($end, $n) = (time + $self->{stand}->seconds, 0);

    while (time < $end) {
        my $burst = $self->_burst($path, $BURST);
        _add($sum, $burst);
        $self->_arrived(100 + ++$n * $BURST) if $vhost;
    }

    return $sum;
}


sub _burst($self, $path, $requests) {
    return Bench::Program->once('http_load', [
        -p => $self->{nginx}->port, -c => 64, -r => $STREAMS,
        -m => 'POST', -u => $path, -b => $BODY, -s => 202, -n => $requests,
    ], $self->{stand}->patience, nginx => $self->{nginx}->pid);
}


sub _add($sum, $part) {
    $sum->{$_} += $part->{$_} for qw(count failed seconds);
    $sum->{cpu_of}{$_} += $part->{cpu_of}{$_} for keys %{ $part->{cpu_of} };

    return;
}


sub _arrived($self, $messages) {
    Cqrs::Wait::wait_until(sub { $self->{vhost}->queue_depth('cqrs.commands.0') == $messages },
        60, 'the burst to arrive');

    return;
}


# The worker that served the others, up to so many commands in all; the queue is emptied now and then.
sub _memory($self, $path, $commands) {
    my $sum = {};
    my ($worker) = $self->{nginx}->worker_pids;

    $self->{sent} //= 0;

    while ($self->{sent} < $commands) {
        $self->{stand}->fresh_queue($self->{vhost});

        my $slice = $commands - $self->{sent} < $FEW ? $commands - $self->{sent} : $FEW;
        my $part  = Bench::Program->once('http_load', [
            -p => $self->{nginx}->port, -c => 64, -r => $STREAMS,
            -m => 'POST', -u => $path, -b => $BODY, -s => 202, -n => $slice,
        ], 600, nginx => $self->{nginx}->pid, $self->{stand}->pids('rabbitmq'));

        $self->{sent} += $slice;
        _add($sum, $part);
    }

    return { %$sum, bytes => Bench::Proc::memory($worker) };
}


sub _librabbitmq($self, $outstanding) {
    $self->{stand}->fresh_queue($self->{vhost});

    return Bench::Program->once('amqp_floor', [
        -a => $self->{vhost}->url, -s => 'account-%ld', -r => $STREAMS, -b => $BODY,
        -w => $outstanding, -t => $self->{stand}->seconds,
    ], $self->{stand}->patience, $self->{stand}->pids('rabbitmq'));
}


sub stop($self) {
    $self->{nginx}->stop;
    $self->{fastify}->stop;

    return;
}


1;
