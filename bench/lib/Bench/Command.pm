package Bench::Command;

# POST of a command, up to the 202 that follows RabbitMQ's confirm.

use v5.36;

use Bench::Program;

my $BODY    = '{"amount": 25}';
my $STREAMS = 100;


sub new($class, $stand) {
    my $vhost = $stand->services->vhost;
    $stand->fresh_queue($vhost);

    my $nginx = $stand->nginx(<<"CONFIG");
        cqrs_rabbitmq    @{[ $vhost->url ]};
        cqrs_partitions  1;

        location ~ ^/accounts/(?<account>[\\w-]+)/(?<command>[a-z-]+)\$ {
            cqrs_command  \$command stream=account-\$account;
        }
CONFIG

    return bless { stand => $stand, vhost => $vhost, nginx => $nginx }, $class;
}


sub groups($self) {
    my $path = '/accounts/%ld/deposit';

    my $many = {
        name     => 'command, 64',
        of       => 'POST',
        variants => {
            module        => sub { $self->_http($path, 64) },
            'librabbitmq' => sub { $self->_librabbitmq(64) },
        },
        rows     => [
            { what => 'accepted/s', of => 'rate', better => 'more',
              ours => 'module', floor => 'librabbitmq' },
            { what => 'accepted, CPU us', of => 'cpu_us', better => 'less',
              ours => 'module', floor => 'librabbitmq' },
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

    return $many, $alone;
}


sub _http($self, $path, $connections) {
    $self->{stand}->fresh_queue($self->{vhost});

    return Bench::Program->once('http_load', [
        -p => $self->{nginx}->port, -c => $connections, -r => $STREAMS,
        -m => 'POST', -u => $path, -b => $BODY, -s => 202,
        -t => $self->{stand}->seconds,
    ], $self->{stand}->patience, nginx => $self->{nginx}->pid, $self->{stand}->pids('rabbitmq'));
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

    return;
}


1;
