package Cqrs::Database;

# A database of its own, dropped when the test ends.  See Cqrs::Services.
#
#   $database->conninfo              the superuser's, for cqrs_postgres and libpq
#   $database->conninfo('alice')     somebody else's
#   $database->dbh                   DBI, dies on errors; the same one until it
#                                    is disconnected
#   $database->run('file.sql')       psql -f; dies on errors
#   $database->value($sql, @bind)    the first column of the first row

use strict;
use warnings;

use Carp qw(croak);
use DBI;
use Scalar::Util qw(weaken);

use Cqrs::Paths qw(root);

my $number = 0;
my %alive;

# bank => 1: with the bank example; install => 0: empty; partitions => N.
sub new {
    my ($class, $services, %args) = @_;

    my $self = bless {
        services => $services,
        owner    => $$,
        name     => sprintf('cqrs_test_%d_%d', $$, ++$number),
    }, $class;

    my $admin = $self->_connect('postgres');
    $admin->do("create database $self->{name}");
    $admin->disconnect;

    $alive{ $self->{name} } = $self;
    weaken($alive{ $self->{name} });

    if ($args{install} // 1) {
        local $ENV{PGOPTIONS} = "-c cqrs.partitions=$args{partitions}" if $args{partitions};
        $self->run(root() . '/sql/install.sql');
    }
    $self->run(root() . '/examples/bank/sql/install.sql') if $args{bank};

    return $self;
}

sub name { return $_[0]{name} }

sub conninfo {
    my ($self, $user) = @_;

    my $s = $self->{services};

    return sprintf "host=%s port=%d dbname=%s user=%s", $s->env('PG_SOCKET'),
        $s->env('PG_PORT'), $self->{name}, $user // $s->env('PG_USER');
}

sub dbh {
    my ($self) = @_;

    return $self->{dbh} if $self->{dbh} && $self->{dbh_owner} == $$
        && $self->{dbh}->ping;

    $self->{dbh_owner} = $$;

    return $self->{dbh} = $self->_connect($self->{name});
}

# A connection of its own, as another user if one is named.
sub connect {
    my ($self, $user) = @_;

    return $self->_connect($self->{name}, $user);
}

sub value {
    my ($self, $sql, @bind) = @_;

    return scalar $self->dbh->selectrow_array($sql, undef, @bind);
}

sub run {
    my ($self, $file, @args) = @_;

    my @command = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @args,
        '-d', $self->conninfo, '-f', $file);

    local $ENV{PGOPTIONS} = join ' ', $ENV{PGOPTIONS} // (), '-c client_min_messages=warning';
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command
        or croak "psql: $!";
    my @lines = <$out>;
    close $out;
    croak "psql -f $file failed: @lines" if $?;

    return join '', @lines;
}

sub _connect {
    my ($self, $database, $user) = @_;

    my $s = $self->{services};
    my $dsn = sprintf 'dbi:Pg:dbname=%s;host=%s;port=%d', $database,
        $s->env('PG_SOCKET'), $s->env('PG_PORT');

    return DBI->connect($dsn, $user // $s->env('PG_USER'), '', {
        RaiseError          => 1,
        PrintError          => 0,
        AutoCommit          => 1,
        AutoInactiveDestroy => 1,
        pg_enable_utf8      => -1,
    });
}

sub drop {
    my ($self) = @_;

    delete $alive{ $self->{name} } or return;
    my $admin = $self->_connect('postgres');
    $admin->do('set client_min_messages = warning');
    $admin->do("drop database if exists $self->{name} with (force)");
    $admin->disconnect;
}

# Private servers may be gone by now, and the database with them.
sub DESTROY {
    my ($self) = @_;

    return if $$ != $self->{owner};
    local ($@, $?, $!);
    eval { $self->drop };
}

END {
    $_->DESTROY for grep { $_ } values %alive;
}

1;
