package Cqrs::Nginx;

# An nginx of one's own with the module loaded.
#
#   my $nginx = Cqrs::Nginx->new(http => $text, workers => 1, main => $text,
#                                log_level => 'info');
#   $nginx->start;
#   ... $nginx->port ... $nginx->url('/path') ...
#   $nginx->stop;
#
# In the texts %PORT% is a free port (%PORT2% another one, see ->port(2)) and
# %DIR% a directory that is deleted afterwards.  A text without "server {" is
# put into one that listens on %PORT%.
#
# stop() fails the test when the error log holds an alert, an emergency or what
# a sanitizer says; so does a test that forgets to call it.  What a test expects
# there it names: ->stop(allow => qr/.../).

use strict;
use warnings;

use Carp qw(croak);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Scalar::Util qw(weaken);
use Test::More ();
use Time::HiRes qw(sleep);

use Cqrs::Guard;
use Cqrs::Paths;
use Cqrs::Wait qw(wait_until);

use constant START_TIMEOUT => 20;
use constant STOP_TIMEOUT  => 30;

my %alive;

sub new {
    my ($class, %args) = @_;

    my $dir = tempdir('cqrs-nginx-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;

    my $self = bless {
        owner   => $$,
        dir     => $dir,
        ports   => {},
        workers => 1,
        connections => 1024,
        %args,
    }, $class;
    $self->configure;

    return $self;
}

# Writes the configuration, with new texts if there are any; for ->reload.
sub configure {
    my ($self, %args) = @_;

    @$self{ keys %args } = values %args;
    Cqrs::Paths::spew("$self->{dir}/nginx.conf", $self->_config);
}

sub dir { return $_[0]{dir} }
sub pid { return $_[0]{pid} }

sub port {
    my ($self, $number) = @_;

    return $self->{ports}{ $number // 1 } ||= free_port();
}

sub url {
    my ($self, $path) = @_;

    return 'http://127.0.0.1:' . $self->port . ($path // '');
}

# Below the ports that Linux gives to outgoing connections, so that none of
# those takes it meanwhile.
sub free_port {
    for (1 .. 1000) {
        my $port = 10_000 + int rand 10_000;
        return $port if IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => $port,
            Listen    => 1,
            ReuseAddr => 1,
        );
    }
    croak 'there is no free port';
}

sub _config {
    my ($self) = @_;

    my $http = $self->{http} // '';
    $http = "server {\n    listen 127.0.0.1:%PORT%;\n$http\n}\n"
        unless $http =~ /\bserver\s*\{/;

    my $level = $self->{log_level} || $ENV{CQRS_LOG_LEVEL} || 'info';
    my $user = $> == 0 ? 'user nobody nogroup;' : '';
    my $module = Cqrs::Paths::module();

    my $config = <<"CONFIG";
daemon off;
worker_processes $self->{workers};
$user
pid %DIR%/nginx.pid;
error_log %DIR%/error.log $level;
load_module $module;
@{[ $self->{main} // '' ]}

events {
    worker_connections $self->{connections};
}

http {
    access_log %DIR%/access.log;
    client_body_temp_path %DIR%/client_body_temp;
    proxy_temp_path %DIR%/proxy_temp;
    fastcgi_temp_path %DIR%/fastcgi_temp;
    uwsgi_temp_path %DIR%/uwsgi_temp;
    scgi_temp_path %DIR%/scgi_temp;

$http
}
CONFIG

    $config =~ s/%PORT(\d*)%/$self->port($1 || 1)/ge;
    $config =~ s/%DIR%/$self->{dir}/g;

    return $config;
}

sub _command {
    my ($self, @more) = @_;

    return (Cqrs::Paths::nginx(), '-p', $self->{dir}, '-e', "$self->{dir}/error.log",
        '-c', "$self->{dir}/nginx.conf", @more);
}

# What nginx -t says: its exit status and its output.
sub test_config {
    my ($self) = @_;

    my $output = "$self->{dir}/test_config";
    my $pid = _spawn($output, $self->_command('-t'));
    waitpid $pid, 0;

    return ($? >> 8, Cqrs::Paths::slurp($output));
}

sub start {
    my ($self) = @_;

    $self->{pid} = _spawn("$self->{dir}/output", $self->_command);
    $self->{guard} = Cqrs::Guard::add('kill', -$self->{pid});
    $alive{ $self->{pid} } = $self;
    weaken($alive{ $self->{pid} });

    wait_until {
        if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
            $self->_ended;
            croak 'nginx did not start: ' . Cqrs::Paths::slurp("$self->{dir}/output")
                . $self->log;
        }
        -s "$self->{dir}/nginx.pid" && $self->worker_pids == $self->{workers};
    } START_TIMEOUT, 'nginx to start';

    return $self;
}

# A process group of its own: Ctrl-C reaches the test, which stops it.
sub _spawn {
    my ($output, @command) = @_;

    my $pid = fork // croak "fork: $!";
    return $pid if $pid;

    setpgrp;
    open STDIN,  '<', '/dev/null';
    open STDOUT, '>', $output;
    open STDERR, '>&', \*STDOUT;
    exec { $command[0] } @command or POSIX::_exit(127);
}

# Returns when the new workers are there.  The old ones may still serve.
sub reload {
    my ($self) = @_;

    my %old = map { $_ => 1 } $self->worker_pids;
    CORE::kill('HUP', $self->{pid});
    eval {
        wait_until {
            grep({ !$old{$_} } $self->worker_pids) == $self->{workers}
                && !grep { $old{$_} } $self->worker_pids;
        } START_TIMEOUT, 'new workers';
    } or croak "nginx did not reload: $@" . $self->_log_tail;
}

sub signal {
    my ($self, $signal) = @_;

    CORE::kill($signal, $self->{pid});
}

# Those that take requests, not those that are shutting down.
sub worker_pids {
    my ($self) = @_;

    return $self->_children(qr/^nginx: worker process$/);
}

sub exiting_pids {
    my ($self) = @_;

    return $self->_children(qr/^nginx: worker process is shutting down/);
}

sub _children {
    my ($self, $title) = @_;

    my $children = "/proc/$self->{pid}/task/$self->{pid}/children";

    return grep {
        my $line = Cqrs::Paths::slurp("/proc/$_/cmdline");
        $line =~ s/[\0 ]+\z//;
        $line =~ $title;
    } split ' ', Cqrs::Paths::slurp($children);
}

sub log        { return Cqrs::Paths::slurp("$_[0]{dir}/error.log") }
sub access_log { return Cqrs::Paths::slurp("$_[0]{dir}/access.log") }

# Returns the matching line.
sub wait_log {
    my ($self, $pattern, $timeout) = @_;

    my $line;
    wait_until {
        ($line) = grep { $_ =~ $pattern } split /\n/, $self->log;
        defined $line;
    } $timeout // 10, "the error log to hold $pattern";

    return $line;
}

sub _log_tail {
    my ($self) = @_;

    my @lines = split /\n/, $self->log;
    splice @lines, 0, -20 if @lines > 20;

    return join "\n", @lines, '';
}

# Graceful, like an operator's `nginx -s quit`.
sub stop {
    my ($self, %args) = @_;

    return unless $self->{pid};

    CORE::kill('QUIT', $self->{pid});
    my $status;
    my $gone = eval {
        wait_until {
            my $waited = waitpid($self->{pid}, WNOHANG) == $self->{pid};
            $status = $? if $waited;
            $waited;
        } $args{timeout} // STOP_TIMEOUT, 'nginx to leave';
    };

    if (!$gone) {
        Test::More::fail('nginx leaves when it is told to');
        Test::More::diag($self->_log_tail);
        $self->kill;
    } elsif ($status) {
        Test::More::fail("nginx leaves without a fault, not with status $status");
    }
    $self->_ended;
    $self->_check_log($args{allow});
}

# SIGKILL for master and workers.
sub kill {
    my ($self) = @_;

    return unless $self->{pid};
    CORE::kill('KILL', $self->{pid}, $self->_children(qr/^nginx: /));
    waitpid $self->{pid}, 0;
    $self->_ended;
}

sub _ended {
    my ($self) = @_;

    delete $alive{ delete $self->{pid} // 0 };
    Cqrs::Guard::remove(delete $self->{guard});
}

sub _check_log {
    my ($self, $allow) = @_;

    my @bad = grep {
        /\[(alert|emerg)\]|Sanitizer|runtime error:/
            && !($allow && $_ =~ $allow)
    } split /\n/, $self->log . Cqrs::Paths::slurp("$self->{dir}/output");
    return unless @bad;

    Test::More::fail('the error log is free of alerts');
    Test::More::diag($_) for @bad[0 .. ($#bad < 19 ? $#bad : 19)];
    Test::More::diag($self->_log_tail) if grep { /Sanitizer/ } @bad;
}

sub DESTROY {
    my ($self) = @_;

    return if $$ != $self->{owner} || !$self->{pid};
    local ($@, $?, $!);
    $self->stop(timeout => 5);
}

END {
    local $?;
    $_->DESTROY for grep { $_ } values %alive;
}

1;
