package Bench::Fanout;

# Notifications to many WebSocket connections, and what an idle one takes.
#
# Each run has an nginx, or a floor, of its own, so that memory is counted from
# nothing.

use v5.36;

use Cqrs::Nginx;

use Bench::Proc;
use Bench::Program;

my $CONNECTIONS = 2_000;
my $WINDOW      = $CONNECTIONS;            # one message to each is under way
my $CHANNEL     = 'bench:%ld';
my $FLOOR       = 'Redis subscriber, send()';


sub new($class, $stand) {
    return bless { stand => $stand, redis => $stand->services->redis }, $class;
}


sub groups($self) {
    return map { $self->_group($_) } 1, $CONNECTIONS;
}


sub _group($self, $channels) {
    my $of = $channels == 1 ? 'one channel' : "$channels channels";

    return {
        name     => "fan-out, $CONNECTIONS",
        of       => $of,
        variants => {
            module => sub { $self->_module($channels) },
            $FLOOR => sub { $self->_floor($channels) },
        },
        rows     => [
            map { { %$_, what => "$of, $_->{what}", ours => 'module', floor => $FLOOR } }
                { what => 'deliveries/s', of => 'rate', better => 'more' },
                { what => 'CPU us of the server', of => 'server_us', better => 'less' },
                { what => 'CPU us of all', of => 'cpu_us', better => 'less' },
                { what => 'bytes per idle connection', of => 'bytes', better => 'less' }
        ],
    };
}


sub _module($self, $channels) {
    my $nginx = $self->{stand}->nginx(<<"CONFIG");
        cqrs_redis  @{[ $self->{redis}->url ]};

        location ~ ^/channels/(?<channel>\\d+)\$ {
            cqrs_subscribe  bench:\$channel;
        }
CONFIG

    my $result = $self->_run($channels, $nginx->port, nginx => $nginx->worker_pids);
    $nginx->stop;

    return $result;
}


sub _floor($self, $channels) {
    my $port  = Cqrs::Nginx::free_port();
    my $floor = Bench::Program->start('fanout_floor',
        -p => $port, -a => $self->{redis}->url, -s => $CHANNEL);

    my $result = $self->_run($channels, $port, floor => $floor->pid);
    $floor->stop;

    return $result;
}


sub _run($self, $channels, $port, $name, $server) {
    my $alone = Bench::Proc::memory($server);

    my $load = Bench::Program->start('ws_load',
        -p => $port, -u => '/channels/%ld', -a => $self->{redis}->url, -s => $CHANNEL,
        -c => $CONNECTIONS, -r => $channels, -w => $WINDOW, -t => $self->{stand}->seconds);

    my $idle   = Bench::Proc::memory($server);
    my $result = $load->run($self->{stand}->patience, $name => $server,
        $self->{stand}->pids('redis'));

    $result->{server_us} = $result->{cpu_of}{$name} / $result->{count} * 1e6;
    $result->{bytes}     = ($idle - $alone) / $CONNECTIONS;

    $load->stop;

    return $result;
}


sub stop($self) { return }


1;
