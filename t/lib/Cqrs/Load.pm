package Cqrs::Load;

# Customers of the bank: a process of its own that puts commands into RabbitMQ as
# the module would, with confirms, and sends again what was not confirmed.
#
#   my $load = Cqrs::Load->start(vhost => $vhost, partitions => 4, rate => 300,
#                                accounts => 50, users => 20, seed => 1);
#   $load->pause;              waits until all that was sent is confirmed
#   $load->resume;
#   my @ids = $load->ids;      confirmed since the last call; each id once
#   my $sent = $load->repeated;    how many commands were sent more than once
#   $load->stop;
#
# Deposits, withdrawals and transfers, also what the bank refuses; some commands come
# twice: at once, or later, when they have long had their outcome.

use strict;
use warnings;

use Carp qw(croak);
use Digest::SHA qw(sha256_hex);
use File::Temp;
use IO::Handle;
use IO::Select;
use JSON ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(time);

use Cqrs::Amqp;
use Cqrs::Commands;
use Cqrs::Wait qw(wait_until);

use constant { TICK => 0.02, WINDOW => 200, RECENT => 500, CONFIRMED_BY => 120, ENDED_BY => 30 };

my $json = JSON->new->canonical->utf8;

sub start {
    my ($class, %args) = @_;

    my $self = bless {
        partitions => 4, accounts => 50, users => 20, rate => 300, seed => 1, owner => $$, offset => 0,
        port => $args{vhost}->port, name => $args{vhost}->name, file => File::Temp->new, %args,
    }, $class;

    pipe my $orders, $self->{orders} or die "pipe: $!\n";
    pipe $self->{answers}, my $answers or die "pipe: $!\n";

    $self->{pid} = fork // die "fork: $!\n";
    if ($self->{pid} == 0) {
        close $self->{orders};
        eval { $self->_run($orders, $answers) };
        warn $@ if $@;
        POSIX::_exit($@ ? 1 : 0);
    }
    $self->{orders}->autoflush(1);

    return $self;
}

sub user { my ($self, $account) = @_; return "load-$self->{name}-" . $account % $self->{users} }

sub pause {
    my ($self) = @_;

    print { $self->{orders} } "pause\n";
    my $answer = '';
    while ($answer !~ /\n/) {
        croak 'the load waits in vain for its confirms'
            unless IO::Select->new($self->{answers})->can_read(CONFIRMED_BY);
        sysread $self->{answers}, $answer, 100, length $answer or croak 'the load has ended';
    }
    $answer =~ /^paused (\d+)/ or croak "the load says $answer";
    $self->{repeated} = $1;
}

sub resume { print { $_[0]{orders} } "resume\n" }

sub repeated { return $_[0]{repeated} }

sub ids {
    my ($self) = @_;

    open my $in, '<', $self->{file}->filename or die "load: $!\n";
    seek $in, $self->{offset}, 0;
    my @ids = <$in>;
    pop @ids if @ids && $ids[-1] !~ /\n\z/;
    $self->{offset} += length for @ids;
    chomp @ids;

    return @ids;
}

sub stop {
    my ($self) = @_;

    my $pid = $self->{pid};
    return unless $pid && $$ == $self->{owner};
    close $self->{orders};
    eval { wait_until { waitpid($pid, WNOHANG) } ENDED_BY, 'the load to end'; 1 }
        or kill('KILL', $pid) && waitpid $pid, 0;
    delete $self->{pid};
}

sub DESTROY { my ($self) = @_; local ($@, $?, $!); $self->stop }


# --- the process ---

sub _run {
    my ($self, $orders, $answers) = @_;

    $_->autoflush(1) for $answers, $self->{file};
    srand $self->{seed};

    my ($paused, $due, $last) = (0, 0, time);
    my @waiting = map { $self->_open($_) } 1 .. $self->{accounts};    # to be sent
    my (@sent, $amqp, $settled);                                      # to be confirmed

    while (1) {
        my $readable = IO::Select->new($orders)->can_read($amqp ? 0 : TICK);
        if ($readable) {
            sysread $orders, my $order, 100 or return;
            $paused = $order =~ /pause\n\z/ ? 1 : 0;
            $settled = 0;
        }

        my $now = time;
        $due += ($now - $last) * $self->{rate} unless $paused;
        $due = WINDOW if $due > WINDOW;
        $last = $now;
        for (; $due >= 1; $due--) {
            push @waiting, $self->_next if @waiting < WINDOW;
        }

        my $ok = eval {
            if (!$amqp) {
                $amqp = Cqrs::Amqp->connect($self->{port}, $self->{name});
                $amqp->confirm_select;
            }
            while (@waiting && @sent < WINDOW) {
                $self->_publish($amqp, $waiting[0]);
                push @sent, shift @waiting;
            }
            my $confirmed = $amqp->confirmed(TICK);
            while (@sent && $confirmed > $amqp->{settled}) {
                $amqp->{settled}++;
                $self->_confirmed(shift @sent);
            }
            1;
        };

        # it may be there or not: what was not confirmed is sent again
        if (!$ok) {
            $self->{repeated} += @sent;
            unshift @waiting, splice @sent;
            undef $amqp;
        }

        if ($paused && !$settled && !@waiting && !@sent) {
            $settled = 1;
            print $answers 'paused ' . ($self->{repeated} // 0) . "\n";
        }
    }
}

sub _open {
    my ($self, $account) = @_;

    return $self->_command($account, 'open', { name => "Account $account" });
}

sub _next {
    my ($self) = @_;

    my $dice = rand;
    my $recent = $self->{recent} //= [];

    if (@$recent && $dice < 0.05) {
        $self->{repeated}++;
        return $recent->[ rand @$recent ];
    }

    my $account = 1 + int rand $self->{accounts};
    my $amount = (1 + int rand 9900) / 100;
    my $to = 1 + int rand($self->{accounts} + 1);    # one of them does not exist
    $to = $to % $self->{accounts} + 1 if $to == $account;

    my $command =
          $dice < 0.50 ? $self->_command($account, 'deposit', { amount => $amount })
        : $dice < 0.70 ? $self->_command($account, 'withdraw', { amount => $amount })
        :                $self->_command($account, 'transfer', { to => "$to", amount => $amount });

    $recent->[ @$recent < RECENT ? @$recent : rand RECENT ] = $command;

    if ($dice > 0.98) {
        $self->{repeated}++;
        return ($command, $command);
    }

    return $command;
}

sub _command {
    my ($self, $account, $type, $data) = @_;

    my @part = unpack 'A8 A4 A4 A4 A12', sha256_hex(join ' ', $self->{name}, $self->{seed}, ++$self->{number});
    substr $part[2], 0, 1, '4';
    substr $part[3], 0, 1, '8';

    return {
        id => join('-', @part), stream => "account-$account", type => $type, user => $self->user($account),
        body => $json->encode($data),
    };
}

sub _publish {
    my ($self, $amqp, $command) = @_;

    $amqp->{settled} //= 0;
    $amqp->publish('cqrs.commands', "$command->{type}." . Cqrs::Commands::partition($self, $command->{stream}),
        { message_id => $command->{id}, type => $command->{type} },
        { stream => $command->{stream}, user => $command->{user} },
        $command->{body});
}

sub _confirmed {
    my ($self, $command) = @_;

    print { $self->{file} } "$command->{id}\n" unless $self->{known}{ $command->{id} }++;
}

1;
