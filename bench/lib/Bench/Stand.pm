package Bench::Stand;

# The servers that everything is measured on: private, and as durable as in
# earnest (Postgres with fsync, quorum queues).  They are stopped and their data
# deleted at the end.

use v5.36;

use Cqrs::Nginx;
use Cqrs::Paths qw(root);
use Cqrs::Services;

use Bench::Proc;

my @ARGUMENTS = (
    'x-queue-type'             => 'quorum',
    'x-single-active-consumer' => JSON::true(),
    'x-delivery-limit'         => 20,
    'x-dead-letter-exchange'   => 'cqrs.dead',
    'x-dead-letter-strategy'   => 'at-least-once',
    'x-overflow'               => 'reject-publish',
);


sub new($class, $dir, $seconds) {
    my $self = bless { dir => $dir, seconds => $seconds, owner => $$ }, $class;

    _tool('remove', $dir);
    _tool('start', $dir);

    $ENV{CQRS_SERVICES}  = $dir;
    $ENV{CQRS_LOG_LEVEL} = 'error';
    $self->{services}    = Cqrs::Services->get;
    $self->{database}    = $self->{services}->database(install => 0);
    $self->{pids}        = $self->_pids;

    return $self;
}


sub services($self) { return $self->{services} }

# How long a run takes, and how long one may take before it counts as stuck.
sub seconds($self)  { return $self->{seconds} }
sub patience($self) { return $self->{seconds} + 60 }

# Servers by name, each with the process of which all its others are descendants.
sub pids($self, @names) { return map { $_ => $self->{pids}{$_} } @names }


sub _pids($self) {
    my $services = $self->{services};
    my $backend  = $self->{database}->value('select pg_backend_pid()');
    my $redis    = $services->redis->command('INFO', 'server');
    my $status   = _tool('status', $self->{dir});

    my ($broker)  = $status =~ /^rabbitmq runs, process (\d+)/m or die "no broker: $status";
    my ($process) = $redis  =~ /^process_id:(\d+)/m or die "Redis has no process id\n";

    return {
        postgres => Bench::Proc::parent($backend),
        rabbitmq => $broker,
        redis    => $process,
    };
}


# What the figures depend on, as the servers themselves say it.
sub versions($self) {
    my $redis   = $self->{services}->redis->command('INFO', 'server');
    my ($redis_version) = $redis =~ /^redis_version:(\S+)/m;
    my $nginx   = Cqrs::Paths::nginx();
    my ($nginx_version) = `$nginx -v 2>&1` =~ m{nginx/(\S+)};

    return {
        postgres => $self->{database}->value('show server_version'),
        fsync    => $self->{database}->value('show fsync'),
        nginx    => $nginx_version,
        redis    => $redis_version,
    };
}


# One worker, so that its process is the only one to look at.
sub nginx($self, $locations, $http = '') {
    return Cqrs::Nginx->new(
        workers     => 1,
        connections => 8192,
        main        => 'worker_rlimit_nofile 16384;',
        http        => <<"CONFIG",
    $http
    server {
        listen 127.0.0.1:%PORT%;

        access_log          off;
        keepalive_requests  1000000000;
        keepalive_timeout   600s;

$locations
    }
CONFIG
    )->start;
}


# The queue of the only partition, empty.
sub fresh_queue($self, $vhost) {
    $vhost->delete_queue('cqrs.commands.0');
    $vhost->declare_exchange('cqrs.commands', type => 'topic');
    $vhost->declare_exchange('cqrs.dead', type => 'fanout');
    $vhost->declare_queue('cqrs.commands.0', arguments => {@ARGUMENTS});
    $vhost->bind('cqrs.commands.0', 'cqrs.commands', '#.0');

    return;
}


sub stop($self) {
    delete $self->{database};
    _tool('remove', $self->{dir});

    return;
}


sub _tool(@args) {
    open my $out, '-|', root() . '/tools/services', @args or die "tools/services: $!\n";
    my $text = join '', <$out>;
    close $out or die "tools/services @args failed\n";

    return $text;
}


1;
