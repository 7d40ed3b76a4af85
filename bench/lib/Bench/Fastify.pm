package Bench::Fastify;

# The same server in node: fastify and amqplib, from npm, below build/.
#
#   my $server = Bench::Fastify->start($vhost);    # undef: no node, or no npm
#   $server->port; $server->pid; $server->stop;

use v5.36;
use File::Copy ();

use Cqrs::Nginx;
use Cqrs::Paths qw(root);

use Bench::Program;


sub start($class, $vhost) {
    my $dir = _installed() // return;
    my $self = bless { port => Cqrs::Nginx::free_port() }, $class;

    local $ENV{NODE_ENV} = 'production';
    $self->{pid} = open $self->{out}, '-|', 'node', "$dir/server.js", $self->{port}, $vhost->url
        or die "node: $!\n";
    my $line = readline $self->{out};
    ($line // '') eq "ready\n" or die "the fastify server did not start\n";

    return $self;
}


sub port($self) { return $self->{port} }
sub pid($self)  { return $self->{pid} }


sub _installed() {
    my $dir = "$Bench::Program::folder/fastify";

    if (grep { system("which $_ >/dev/null 2>&1") } qw(node npm)) {
        warn "without node and npm there is no fastify to compare with\n";
        return;
    }

    mkdir $dir;
    File::Copy::copy(root() . "/bench/fastify/$_", "$dir/$_") or die "$dir/$_: $!\n"
        for qw(package.json server.js);

    if (!-d "$dir/node_modules/fastify" || !-d "$dir/node_modules/amqplib") {
        say STDERR 'installing fastify and amqplib';
        if (system('sh', '-c', 'cd "$1" && npm install --no-audit --no-fund >npm.log 2>&1', 'sh', $dir)) {
            warn "npm install failed, see $dir/npm.log: there is no fastify to compare with\n";
            return;
        }
    }

    return $dir;
}


sub stop($self) {
    my $pid = delete $self->{pid} // return;

    kill 'TERM', $pid;
    close $self->{out};

    return;
}


sub DESTROY($self) {
    local ($?, $!);
    $self->stop;

    return;
}


1;
