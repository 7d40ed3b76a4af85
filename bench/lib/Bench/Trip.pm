package Bench::Trip;

# From the POST to the notification on an open WebSocket, through everything.

use v5.36;

use Cqrs::Jwt;
use Cqrs::Paths;

use Bench::Bank;
use Bench::Program;

my $KEY   = 'the secret of a benchmark, 32 bytes and more';
my $FLOOR = 'the bare hops';


sub new($class, $stand) {
    my $self = bless {
        stand => $stand,
        ours  => Bench::Bank->new($stand),
        floor => Bench::Bank->new($stand),
    }, $class;

    $stand->fresh_queue($self->{floor}->vhost);

    my $key = Cqrs::Paths::build() . '/bench/jwt.key';
    Cqrs::Paths::spew($key, $KEY);

    $self->{consumer} = $self->{ours}->consumer;
    $self->{nginx}    = $stand->nginx(<<"CONFIG");
        cqrs_rabbitmq    @{[ $self->{ours}->vhost->url ]};
        cqrs_redis       @{[ $self->{ours}->redis->url ]};
        cqrs_partitions  1;
        cqrs_jwt_key     HS256 file:$key;

        location ~ ^/accounts/(?<account>[\\w-]+)/(?<command>[a-z-]+)\$ {
            cqrs_command    \$command stream=account-\$account;
        }
        location = /notifications {
            cqrs_subscribe  user:\$cqrs_jwt_sub;
        }
CONFIG

    return $self;
}


sub groups($self) {
    return {
        name     => 'trip, 1',
        of       => 'trip',
        variants => {
            module => sub { $self->_module },
            $FLOOR => sub { $self->_hops },
        },
        rows     => [
            map { { better => 'less', ours => 'module', floor => $FLOOR, %$_ } }
                { what => 'POST to notification, median us', of => 'notified_p50', floor_of => 'sum_p50' },
                { what => 'POST to notification, p99 us', of => 'notified_p99', floor_of => 'sum_p99' },
                { what => 'POST to 202, median us', of => 'accepted_p50', floor_of => 'confirm_p50' },
                { what => 'a whole trip, CPU us', of => 'cpu_us' },
                { what => 'of the hops: confirm, median us', of => 'confirm_p50', ours => undef },
                { what => 'of the hops: delivery, median us', of => 'deliver_p50', ours => undef },
                { what => 'of the hops: transaction, median us', of => 'execute_p50', ours => undef },
                { what => 'of the hops: Redis, median us', of => 'publish_p50', ours => undef },
        ],
    };
}


sub _module($self) {
    my $token = Cqrs::Jwt::token({ sub => $Bench::Bank::USER, exp => time + 86_400 },
                                 key => $KEY);

    return Bench::Program->once('trip', [
        -p => $self->{nginx}->port, -u => '/accounts/1/deposit', -w => '/notifications',
        -h => "Authorization: Bearer $token\r\n", -b => $Bench::Bank::BODY,
        -t => $self->{stand}->seconds,
    ], $self->{stand}->patience, nginx => $self->{nginx}->pid, consumer => $self->{consumer}->pid,
       $self->{stand}->pids(qw(postgres rabbitmq redis)));
}


sub _hops($self) {
    my $bank = $self->{floor};

    return Bench::Program->once('hops_floor', [
        -a => $bank->vhost->url, -q => 'cqrs.commands.0', -d => $bank->database->conninfo,
        -e => $bank->redis->url, -s => 'account-1', -P => 1, -i => $Bench::Bank::USER,
        -b => $Bench::Bank::BODY, -t => $self->{stand}->seconds,
    ], $self->{stand}->patience, $self->{stand}->pids(qw(postgres rabbitmq redis)));
}


sub stop($self) {
    $self->{nginx}->stop;
    $self->{consumer}->stop;

    return;
}


1;
