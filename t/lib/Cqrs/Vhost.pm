package Cqrs::Vhost;

# A virtual host of RabbitMQ, deleted when the test ends.  See Cqrs::Services.
#
#   $vhost->url                            amqp://guest:guest@127.0.0.1:PORT/NAME
#   $vhost->declare_queue($q, %options)    durable; arguments => {'x-...' => ...}
#   $vhost->declare_exchange($x, type => 'topic')
#   $vhost->bind($queue, $exchange, $key)
#   $vhost->publish($exchange, $key, \%properties, $body)   true if routed
#   $vhost->get($queue, $n)                list of { body, properties, headers,
#                                          routing_key, exchange, redelivered },
#                                          taken off the queue
#   $vhost->take_all($queue)               list of bodies, however many; get() takes
#                                          seconds for each thousand
#   $vhost->queue_depth($queue)            messages that are ready, asked now
#   $vhost->has_queue($q), ->has_exchange($x), ->queue($q), ->bindings
#   $vhost->close_connections($reason)     as an operator would; returns how many
#
# All of it by the management plugin's HTTP API, but for these two: the API gives
# statistics, a quarter of a second old.

use strict;
use warnings;

use Carp qw(croak);
use HTTP::Tiny;
use JSON ();
use MIME::Base64 qw(decode_base64 encode_base64);
use Scalar::Util qw(weaken);

use Cqrs::Amqp;

use constant TAKEN_AT_ONCE => 50_000;    # RabbitMQ counts what is not acknowledged in 16 bits

my $number = 0;
my %alive;

sub new {
    my ($class, $services) = @_;

    my $self = bless {
        owner => $$,
        name  => sprintf('test-%d-%d', $$, ++$number),
        port  => $services->env('AMQP_PORT'),
        api   => sprintf('http://guest:guest@127.0.0.1:%d/api',
                         $services->env('AMQP_MANAGEMENT_PORT')),
        http  => HTTP::Tiny->new(timeout => 30),
    }, $class;

    $self->_put("vhosts/$self->{name}", {});
    $self->_put("permissions/$self->{name}/guest",
        { configure => '.*', write => '.*', read => '.*' });

    $alive{ $self->{name} } = $self;
    weaken($alive{ $self->{name} });

    return $self;
}

sub name { return $_[0]{name} }
sub port { return $_[0]{port} }
sub url  { return "amqp://guest:guest\@127.0.0.1:$_[0]{port}/$_[0]{name}" }

sub declare_queue {
    my ($self, $queue, %options) = @_;

    $self->_put($self->_path('queues', $queue), { durable => JSON::true, %options });
}

sub declare_exchange {
    my ($self, $exchange, %options) = @_;

    $self->_put($self->_path('exchanges', $exchange),
        { durable => JSON::true, type => 'topic', %options });
}

sub bind {
    my ($self, $queue, $exchange, $key) = @_;

    $self->_post(
        "bindings/$self->{name}/e/" . _escape($exchange) . '/q/' . _escape($queue),
        { routing_key => $key // '' });
}

sub publish {
    my ($self, $exchange, $key, $properties, $body) = @_;

    utf8::encode($body) if utf8::is_utf8($body);
    my $answer = $self->_post(
        $self->_path('exchanges', length $exchange ? $exchange : 'amq.default') . '/publish',
        {
            routing_key      => $key,
            properties       => $properties || {},
            payload          => encode_base64($body, ''),
            payload_encoding => 'base64',
        });

    return $answer->{routed};
}

sub get {
    my ($self, $queue, $count) = @_;

    my @messages;
    while (@messages < ($count //= 1)) {
        my $left = $count - @messages;
        my $some = $self->_post($self->_path('queues', $queue) . '/get', {
            count    => $left < 1000 ? $left : 1000,
            ackmode  => 'ack_requeue_false',
            encoding => 'base64',
        });
        last unless @$some;
        push @messages, map { _message($_) } @$some;
    }

    return @messages;
}

# The bodies of all messages that are ready, however many; they are removed.
sub take_all {
    my ($self, $queue) = @_;

    my (@bodies, @some);
    push @bodies, @some
        while @some = Cqrs::Amqp::take($self->{port}, $self->{name}, $queue, TAKEN_AT_ONCE);

    return @bodies;
}

# An empty table comes as [] from the API.
sub _message {
    my ($m) = @_;

    my $properties = ref $m->{properties} eq 'HASH' ? $m->{properties} : {};
    my $headers = $properties->{headers};

    return {
        body        => decode_base64($m->{payload}),
        properties  => $properties,
        headers     => ref $headers eq 'HASH' ? $headers : {},
        routing_key => $m->{routing_key},
        exchange    => $m->{exchange},
        redelivered => $m->{redelivered},
    };
}

sub queue_depth {
    my ($self, $queue) = @_;

    return Cqrs::Amqp::queue_depth($self->{port}, $self->{name}, $queue);
}

sub queue {
    my ($self, $queue) = @_;

    return $self->_get($self->_path('queues', $queue));
}

sub has_queue {
    my ($self, $queue) = @_;

    return !!$self->queue($queue);
}

sub has_exchange {
    my ($self, $exchange) = @_;

    return !!$self->_get($self->_path('exchanges', $exchange));
}

sub delete_queue {
    my ($self, $queue) = @_;

    $self->_call('DELETE', $self->_path('queues', $queue));
}

sub bindings {
    my ($self) = @_;

    return @{ $self->_get("bindings/$self->{name}") };
}

sub connections {
    my ($self) = @_;

    return @{ $self->_get("vhosts/$self->{name}/connections") };
}

sub close_connections {
    my ($self, $reason) = @_;

    my @names = map { $_->{name} } $self->connections;
    $self->_call('DELETE', 'connections/' . _escape($_), undef,
        { 'X-Reason' => $reason // 'closed by a test' }) for @names;

    return scalar @names;
}

sub delete {
    my ($self) = @_;

    delete $alive{ $self->{name} } or return;
    $self->_call('DELETE', "vhosts/$self->{name}");
}

sub _path {
    my ($self, $kind, $name) = @_;

    return "$kind/$self->{name}/" . _escape($name);
}

sub _escape {
    my ($text) = @_;

    $text =~ s/([^A-Za-z0-9_.-])/sprintf '%%%02X', ord $1/ge;

    return $text;
}

sub _put  { my $self = shift; return $self->_call('PUT', @_) }
sub _post { my $self = shift; return $self->_call('POST', @_) }
sub _get  { my $self = shift; return $self->_call('GET', @_) }

# Returns the answer, decoded; undef for 404 of a GET or DELETE.
sub _call {
    my ($self, $method, $path, $data, $headers) = @_;

    my %options = (headers => { 'Content-Type' => 'application/json', %{ $headers || {} } });
    $options{content} = JSON::encode_json($data) if $data;

    my $answer = $self->{http}->request($method, "$self->{api}/$path", \%options);
    return undef if $answer->{status} == 404 && $method =~ /GET|DELETE/;
    croak "rabbitmq: $method $path: $answer->{status} $answer->{content}"
        unless $answer->{success};

    return length $answer->{content} ? JSON::decode_json($answer->{content}) : undef;
}

sub DESTROY {
    my ($self) = @_;

    return if $$ != $self->{owner};
    local ($@, $?, $!);
    eval { $self->delete };
}

END {
    $_->DESTROY for grep { $_ } values %alive;
}

1;
