package Cqrs::Loop;

# The whole path with the bank on it: HTTP clients that send commands, WebSocket
# clients that listen, and the counts that must come out however it was disturbed.

use strict;
use warnings;

use File::Temp ();
use JSON qw(encode_json decode_json);
use POSIX ();
use Test::More;

use Cqrs::Consumer;
use Cqrs::Http;
use Cqrs::Jwt;
use Cqrs::Nginx;
use Cqrs::Wait qw(wait_until);
use Cqrs::WebSocket;

use constant KEY => 'a key of the tests that is long enough for HS256';

sub new {
    my ($class, %args) = @_;

    my $self = bless { accounts => 100, listeners => [], %args }, $class;
    my $services = $self->{services};

    $self->{dir}      = File::Temp->newdir;
    $self->{database} = $services->database(bank => 1, partitions => 4);
    $self->{vhost}    = $services->vhost;
    $self->{redis}    = $services->redis;
    $self->{dbh}      = $self->{database}->dbh;

    open my $key, '>', "$self->{dir}/jwt.key" or die "jwt.key: $!";
    print $key KEY;
    close $key;
    chmod 0755, "$self->{dir}";

    $self->start_consumer;

    # who reads the events beside us must find all of them: before the first one
    wait_until { $self->{vhost}->has_exchange('cqrs.events') } 20,
        'the consumer declares its topology';
    $self->{vhost}->declare_queue('probe');
    $self->{vhost}->bind('probe', 'cqrs.events', '#');

    $self->{nginx} = Cqrs::Nginx->new(
        workers => $args{workers} || 2,
        http    => $self->nginx_config,
    );
    $self->{nginx}->start;

    return $self;
}

sub nginx_config {
    my ($self) = @_;

    my $reader = $self->{database}->conninfo('cqrs_reader');
    my $rabbitmq = $self->{vhost}->url;
    $rabbitmq = $self->{proxy}->url($rabbitmq) if $self->{proxy};
    my $redis = $self->{redis}->url;

    return <<"CONFIG";
    cqrs_postgres  "$reader" pool=4;
    cqrs_rabbitmq  $rabbitmq;
    cqrs_redis     $redis;

    server {
        listen 127.0.0.1:%PORT%;
        keepalive_requests 100000;

        cqrs_jwt_key   HS256 file:$self->{dir}/jwt.key;
        cqrs_jwt_from  header argument:access_token;

        location /api/ {
            cqrs_query  schema=api;
        }

        location ~ ^/accounts/(?<account>[\\w-]+)/(?<command>open|deposit|withdraw|transfer)\$ {
            cqrs_command  \$command stream=account-\$account;
        }

        location = /notifications {
            cqrs_subscribe  user:\$cqrs_jwt_sub;
        }
    }
CONFIG
}

sub start_consumer {
    my ($self) = @_;

    $self->{consumer} = Cqrs::Consumer->start(
        database => $self->{database},
        vhost    => $self->{vhost},
        redis    => $self->{redis},
    );
}

sub token {
    my ($self, $user) = @_;

    return $self->{tokens}{$user} ||= Cqrs::Jwt::token(
        { sub => $user, exp => time + 3600 }, key => KEY, alg => 'HS256');
}

sub query {
    my ($self, $path, $user) = @_;

    my $http = Cqrs::Http->new($self->{nginx}->port);

    return $http->get($path,
        { Authorization => 'Bearer ' . $self->token($user || 'alice') });
}

# A command of one user; the answer is what Cqrs::Http gives.
sub command {
    my ($self, $user, $account, $command, $data, $http) = @_;

    $http ||= Cqrs::Http->new($self->{nginx}->port);

    return $http->request('POST', "/accounts/$account/$command",
        {
            'Authorization' => 'Bearer ' . $self->token($user),
            'Content-Type'  => 'application/json',
        },
        encode_json($data));
}

sub connect {
    my ($self, $user, $cursor) = @_;

    return Cqrs::WebSocket->connect(
        port => $self->{nginx}->port,
        path => '/notifications?access_token=' . $self->token($user)
            . (defined $cursor ? "&cursor=$cursor" : ''),
    );
}

# A process that listens as the user, comes back with its last cursor when it is
# cut off, and writes each frame to a file as one line.
sub listen {
    my ($self, $user) = @_;

    my $file = "$self->{dir}/listener-" . @{ $self->{listeners} };
    my $token = $self->token($user);    # made here, so that the child has it

    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        eval { $self->_listen($user, $file) };
        warn $@ if $@;
        POSIX::_exit(1);
    }

    push @{ $self->{listeners} }, { user => $user, file => $file, pid => $pid };
}

sub _listen {
    my ($self, $user, $file) = @_;

    open my $out, '>>', $file or die "$file: $!";
    $out->autoflush(1);

    my $cursor;
    while (1) {
        my $ws = eval { $self->connect($user, $cursor) };
        if (!$ws || $ws->status != 101) {
            select undef, undef, undef, 0.05;    # as a browser would, not at once
            next;
        }
        until ($ws->closed) {
            my $message = $ws->next(1) or next;
            $cursor = $message->{cursor} if defined $message->{cursor};
            print $out encode_json($message), "\n";
        }
    }
}

sub frames {
    my ($self, $listener) = @_;

    open my $in, '<', $listener->{file} or return;
    my @frames = map { /\n\z/ ? decode_json($_) : () } <$in>;

    return @frames;
}

sub wait_for_listeners {
    my ($self) = @_;

    for my $listener (@{ $self->{listeners} }) {
        wait_until { $self->frames($listener) } 10, "$listener->{file} is subscribed";
    }
}

# What the clients will do: accounts are opened first, half of them by each user.
sub commands_plan {
    my ($self, $commands) = @_;

    my @users = qw(alice bob);
    my $accounts = $self->{accounts};
    my @plan = map { [ $users[ $_ % 2 ], $_, 'open', { name => "Account $_" } ] } 1 .. $accounts;

    while (@plan < $commands) {
        my $account = 1 + int rand $accounts;
        my $amount = (1 + int rand 9900) / 100;
        my $owner = $users[ $account % 2 ];
        my $dice = rand;

        # to 101: an account that does not exist, so that some come back
        my $to = 1 + int rand($accounts + 1);
        $to = $to % $accounts + 1 if $to == $account;

        push @plan,
              $dice < 0.45 ? [ $owner, $account, 'deposit', { amount => $amount } ]
            : $dice < 0.70 ? [ $owner, $account, 'withdraw', { amount => $amount } ]
            :                [ $owner, $account, 'transfer', { to => "$to", amount => $amount } ];
    }

    return @plan;
}

# Sends the plan by as many clients at once.  Returns at once; see wait_for_senders.
sub send_commands {
    my ($self, $clients, @plan) = @_;

    my @parts;
    push @{ $parts[ $_->[1] % $clients ] }, $_ for @plan;
    $self->token($_) for qw(alice bob);

    $self->{senders} = [];
    for my $client (0 .. $clients - 1) {
        my $file = "$self->{dir}/sender-$client";
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            eval { $self->_send($file, @{ $parts[$client] }) };
            warn $@ if $@;
            POSIX::_exit($@ ? 1 : 0);
        }
        push @{ $self->{senders} }, { file => $file, pid => $pid };
    }
}

sub _send {
    my ($self, $file, @plan) = @_;

    open my $out, '>', $file or die "$file: $!";
    $out->autoflush(1);
    my $http = Cqrs::Http->new($self->{nginx}->port);

    for (@plan) {
        my ($user, $account, $command, $data) = @$_;

        # A server may close an idle connection at any time; a client that finds
        # it closed sends again.  That makes it another command, with another id.
        for my $attempt (1 .. 5) {
            my $answer = eval { $self->command($user, $account, $command, $data, $http) };
            my $status = $answer && $answer->{status} || 0;
            my $id = $answer && $answer->{headers}{'command-id'} || '-';
            print $out "$status $id $user\n";
            last if $status;
            $http = Cqrs::Http->new($self->{nginx}->port);
        }
    }
}

# Waits for the clients.  Returns the answers: { status, id, user }.
sub wait_for_senders {
    my ($self) = @_;

    my @answers;
    for my $sender (@{ $self->{senders} }) {
        waitpid $sender->{pid}, 0;
        die "a sender failed, see above" if $?;
        open my $in, '<', $sender->{file} or die "$sender->{file}: $!";
        while (<$in>) {
            my %answer;
            @answer{qw(status id user)} = split;
            push @answers, \%answer;
        }
    }

    return @answers;
}

sub value {
    my ($self, $sql, @bind) = @_;

    return $self->{dbh}->selectrow_array($sql, undef, @bind);
}

sub outcomes { $_[0]->value('select count(*) from cqrs.inbox') }

# Waits until there is nothing left to do anywhere.
sub settle {
    my ($self, @ids) = @_;

    wait_until {
        $self->value('select count(*) from cqrs.inbox where id = any($1)', \@ids) == @ids
    } 120, 'every command has its outcome';

    wait_until { $self->value('select in_flight = 0 from bank.audit') } 60,
        'every transfer has arrived or was undone';

    wait_until {
        $self->value(<<'SQL') == 0
            select count(*)
              from (select partition, max(position) as position from cqrs.events group by partition) as log
              left join cqrs.checkpoints as c on c.sink = 'rabbitmq' and c.partition = log.partition
             where c.position is distinct from log.position
SQL
    } 60, 'every event has reached RabbitMQ';

    wait_until {
        my %sent = @{ $self->{redis}->command('HGETALL', 'cqrs:sent') };
        my $due = $self->{dbh}->selectall_arrayref(
            'select partition, max(sequence) from cqrs.notifications group by partition');
        !grep { ($sent{ $_->[0] } || 0) != $_->[1] } @$due;
    } 60, 'every notification has reached Redis';

    for my $listener (@{ $self->{listeners} }) {
        my $last = $self->{redis}->command('XREVRANGE',
            "cqrs:history:user:$listener->{user}", '+', '-', 'COUNT', 1);
        my $cursor = $last->[0][0] or next;
        wait_until {
            my @frames = $self->frames($listener);
            $frames[-1]{cursor} eq $cursor;
        } 60, "$listener->{file} has got everything";
    }
}

# The invariants, whatever happened on the way.
sub check {
    my ($self, @answers) = @_;

    my @accepted = grep { $_->{status} == 202 } @answers;
    my %accepted = map { $_->{id} => $_ } @accepted;
    is(scalar(keys %accepted), scalar(@accepted), 'each 202 has a command id of its own');

    $self->check_store([ keys %accepted ]);
    $self->check_notifications(\%accepted);
    $self->check_events;
    $self->check_money;
}

sub check_store {
    my ($self, $ids) = @_;

    is($self->value(<<'SQL', $ids), scalar(@$ids), 'each has exactly one outcome, and none was parked');
        select count(*) from cqrs.inbox where id = any($1) and status in ('completed', 'rejected')
SQL
    is($self->value(<<'SQL'), 0, 'versions are dense');
        select count(*)
          from (select version - row_number() over (partition by stream order by version) as hole
                  from cqrs.events) as e
         where hole <> 0
SQL
    is($self->value(<<'SQL'), 0, 'positions are dense');
        select count(*)
          from (select position - row_number() over (partition by partition order by position) as hole
                  from cqrs.events) as e
         where hole <> 0
SQL
    is($self->value(<<'SQL'), 0, 'positions agree with versions');
        select count(*)
          from (select version < lag(version) over (partition by stream order by position) as back
                  from cqrs.events) as e
         where back
SQL
    is($self->value(<<'SQL'), 0, 'the read tables equal the fold of the events');
        select count(*)
          from bank.folded() as f
          full join api.accounts as a on a.id = f.id
         where (a.id, a.owner, a.balance, a.version) is distinct from (f.id, f.owner, f.balance, f.version)
SQL
}

sub check_notifications {
    my ($self, $accepted) = @_;

    my $number = 0;
    for my $listener (@{ $self->{listeners} }) {
        $number++;
        my (%got, $resets, $backwards, $last);
        for my $frame ($self->frames($listener)) {
            if ($frame->{type} eq 'cqrs.reset') { $resets++ }
            next unless $frame->{type} =~ /^cqrs\.command\./;
            $got{ $frame->{data}{id} }++;
        }
        my @mine = grep { $accepted->{$_}{user} eq $listener->{user} } keys %$accepted;
        my @wrong = grep { ($got{$_} || 0) != 1 } @mine;
        is(scalar(@wrong), 0,
            "connection $number of $listener->{user} got exactly one notification for each of "
            . @mine . ' commands');
        diag("for example $wrong[0]: " . ($got{ $wrong[0] } || 0)) if @wrong;
        is(scalar(grep { $_ > 1 } values %got), 0, 'and nothing twice');
        ok(!$resets, 'and was never told to start over');
    }
}

sub check_events {
    my ($self) = @_;

    my $store = $self->{dbh}->selectall_hashref(<<'SQL', 'id');
        select id::text, partition, position, stream, version, type from cqrs.events
SQL
    my (%last, %seen, $disorder, $differ);
    for my $message ($self->{vhost}->get('probe', 100_000)) {
        my $event = decode_json($message->{body});
        next if $seen{ $event->{id} }++;    # at least once: a repetition is allowed

        $disorder++ if $event->{position} != ($last{ $event->{partition} } || 0) + 1;
        $last{ $event->{partition} } = $event->{position};

        my $row = $store->{ $event->{id} };
        $differ++
            unless $row
            && $row->{partition} == $event->{partition}
            && $row->{position} == $event->{position}
            && $row->{version} == $event->{version}
            && $row->{stream} eq $event->{subject}
            && "account.$row->{type}" eq $event->{type};
    }

    is(scalar(keys %seen), scalar(keys %$store), 'the events in RabbitMQ are the events in the store');
    ok(!$disorder, 'in position order, without a gap');
    ok(!$differ, 'and say the same');

    $self->{repeated_events} = grep { $_ > 1 } values %seen;
}

sub check_money {
    my ($self) = @_;

    is($self->value('select balances + in_flight = deposits - withdrawals from bank.audit'), 1,
        'transfers neither make nor lose money');
}

sub stop {
    my ($self) = @_;

    for my $listener (@{ delete $self->{listeners} || [] }) {
        kill KILL => $listener->{pid};
        waitpid $listener->{pid}, 0;
    }

    $self->{consumer}->stop;
    $self->{nginx}->stop;
}

1;
