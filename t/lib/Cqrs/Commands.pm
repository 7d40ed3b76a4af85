package Cqrs::Commands;

# Commands put into RabbitMQ as the module would, and what became of them.
#
#   my $commands = Cqrs::Commands->new(database => $database, vhost => $vhost,
#                                      partitions => 4, user => 'alice');
#   $commands->ready;                     waits for the daemon's queues
#   my $id = $commands->send('account-1', 'deposit', { amount => 5 }, %properties);
#   $commands->wait_outcomes(@ids);       waits until each has one
#   $commands->status($id)                completed, rejected, parked or undef
#   $commands->balance('account-1')       as folded from the events
#   $commands->history($redis, $channel)  list of { id, message }

use strict;
use warnings;

use Carp qw(croak);
use Digest::SHA qw(sha256);
use JSON ();

use Cqrs::Wait qw(wait_until);

my $json = JSON->new->canonical->utf8;

sub new {
    my ($class, %args) = @_;

    return bless { partitions => 4, %args }, $class;
}

sub partition {
    my ($self, $stream) = @_;

    return unpack('N', sha256($stream)) % $self->{partitions};
}

sub id {
    my @part = unpack 'H8 H4 H4 H4 H12', sha256(join ' ', $$, time, rand, ++our $number);
    substr $part[2], 0, 1, '4';
    substr $part[3], 0, 1, '8';

    return join '-', @part;
}

sub ready {
    my ($self) = @_;

    wait_until {
        my %bound = map { ($_->{destination} => 1) } grep { $_->{source} =~ /^cqrs/ } $self->{vhost}->bindings;
        !grep { !$bound{$_} } 'cqrs.reactions', map { "cqrs.commands.$_" } 0 .. $self->{partitions} - 1;
    } 20, "the daemon's queues to be bound";
}

# Data that is no reference is sent as it is.
sub send {
    my ($self, $stream, $type, $data, %properties) = @_;

    my $id = $properties{message_id} //= id();
    my $headers = delete $properties{headers};

    $self->{vhost}->publish('cqrs.commands', "$type." . $self->partition($stream), {
        type          => $type,
        content_type  => 'application/json',
        delivery_mode => 2,
        timestamp     => time,
        headers       => { stream => $stream, user => $self->{user}, %{ $headers || {} } },
        %properties,
    }, ref $data ? $json->encode($data) : $data)
        or croak "no queue for $stream";

    return $id;
}

sub wait_outcomes {
    my ($self, @ids) = @_;

    wait_until {
        @ids == $self->{database}->value(
            'select count(*) from cqrs.inbox where id = any ($1::uuid[])', \@ids)
    } 60, 'the outcomes of ' . @ids . ' commands';
}

sub status {
    my ($self, $id) = @_;

    return $self->{database}->value('select status from cqrs.inbox where id = $1', $id);
}

sub balance {
    my ($self, $account) = @_;

    return 0 + ($self->{database}->value(
        q{select state ->> 'balance' from cqrs.streams where stream = $1}, $account) // 0);
}

sub history {
    my ($self, $redis, $channel) = @_;

    my $entries = $redis->command('XRANGE', "cqrs:history:$channel", '-', '+');

    return map { { id => $_->[0], message => $json->decode($_->[1][1]) } } @$entries;
}

1;
