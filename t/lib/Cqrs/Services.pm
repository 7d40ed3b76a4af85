package Cqrs::Services;

# Private Postgres, RabbitMQ and Redis for tests; see tools/services.
#
#   my $services = Cqrs::Services->get;        # shared by all test files
#   my $database = $services->database(bank => 1, partitions => 4);
#   my $vhost    = $services->vhost;
#   my $redis    = $services->redis;
#
#   my $own = Cqrs::Services->private;         # to be stopped and killed
#   $own->stop('redis'); $own->start('redis'); $own->kill('rabbitmq');
#   $own->pause('postgres'); $own->resume('postgres');
#   $own->alarm('rabbitmq'); $own->calm('rabbitmq');   # as if memory were short
#
# `make test` starts servers once and names their directory in CQRS_SERVICES;
# without it the first get() starts some for this test file alone.  They are
# stopped, and what was made in them deleted, when the test ends.

use strict;
use warnings;

use Carp qw(croak);
use File::Temp qw(tempdir);
use IO::Socket::INET;

use Cqrs::Database;
use Cqrs::Guard;
use Cqrs::Paths qw(root slurp);
use Cqrs::Redis;
use Cqrs::Vhost;

my $shared;
my %started;
my $owner = $$;

sub get {
    my ($class) = @_;

    return $shared ||= $ENV{CQRS_SERVICES}
        ? $class->_new($ENV{CQRS_SERVICES})
        : $class->private;
}

# Servers of one's own.  only => ['postgres'] saves the time of the others.
sub private {
    my ($class, %args) = @_;

    my $dir = tempdir('cqrs-services-XXXXXX', TMPDIR => 1);
    chmod 0755, $dir;
    $started{$dir} = Cqrs::Guard::add(root() . '/tools/services', 'remove', $dir);
    _tool('start', '--volatile', $dir, @{ $args{only} || [] });

    return $class->_new($dir);
}

sub _new {
    my ($class, $dir) = @_;

    my $self = bless { dir => $dir, env => {} }, $class;
    for (split /\n/, slurp("$dir/env")) {
        $self->{env}{$1} = $2 if /^export (\w+)='?([^']*)'?$/;
    }
    croak "no servers were started in $dir" unless $self->{env}{CQRS_PG_PORT};

    return $self;
}

sub dir { return $_[0]{dir} }

# A variable of DIR/env, without its prefix: ->env('PG_PORT').
sub env {
    my ($self, $name) = @_;

    return $self->{env}{"CQRS_$name"} // croak "env has no CQRS_$name";
}

sub database { my $self = shift; return Cqrs::Database->new($self, @_) }
sub vhost    { my $self = shift; return Cqrs::Vhost->new($self, @_) }
sub redis    { my $self = shift; return Cqrs::Redis->new($self, @_) }

sub start  { my $self = shift; _tool('start',  $self->{dir}, @_) }
sub stop   { my $self = shift; _tool('stop',   $self->{dir}, @_) }
sub kill   { my $self = shift; _tool('kill',   $self->{dir}, @_) }
sub pause  { my $self = shift; _tool('pause',  $self->{dir}, @_) }
sub resume { my $self = shift; _tool('resume', $self->{dir}, @_) }
sub alarm  { my $self = shift; _tool('alarm',  $self->{dir}, @_) }
sub calm   { my $self = shift; _tool('calm',   $self->{dir}, @_) }

# RabbitMQ listens on one more port, until it is stopped.
sub listen_tls {
    my ($self, $port, $certificate, $key, $options) = @_;

    local @ENV{qw(CQRS_TLS_PORT CQRS_TLS_CERTIFICATE CQRS_TLS_KEY CQRS_TLS_OPTIONS)}
        = ($port, $certificate, $key, $options // '');
    _tool('tls', $self->{dir}, 'rabbitmq');
}

# Stops private servers for good and deletes their data.
sub stop_all {
    my ($self) = @_;

    croak 'these servers are not private' unless $started{ $self->{dir} };

    _remove($self->{dir});
}

sub _remove {
    my ($dir) = @_;

    my $guard = delete $started{$dir};
    _tool('remove', $dir);
    Cqrs::Guard::remove($guard);
}

# Its words are notes of the test, not lines of TAP.
sub _tool {
    my @args = @_;

    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh',
        root() . '/tools/services', @args
        or croak "tools/services: $!";
    my @lines = <$out>;
    close $out;

    print map { "# $_" } @lines;
    croak "tools/services @args failed" if $?;
}

END {
    if ($$ == $owner) {
        local $?;
        for my $dir (keys %started) {
            eval { _remove($dir); 1 } or warn $@;
        }
    }
}

1;
