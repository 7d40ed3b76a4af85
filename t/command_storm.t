#!/usr/bin/perl

# Commands under a storm: nginx is reloaded, its workers and the consumer are
# killed, the link to the broker is cut, and the broker itself is killed.  What
# was answered 202 was executed, once; what was repeated with its Idempotency-Key
# until it was answered 202 was executed once.
#
# CQRS_STORM is the number of commands.  From 10,000 on the broker is killed too,
# which costs a start of it each time.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep);

use Cqrs::Http;
use Cqrs::Loop;
use Cqrs::Proxy;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant { CLIENTS => 8, ACCOUNTS => 16, PATIENCE => 600 };

my $seed = srand($ENV{CQRS_SEED} // time);
note("seed $seed, give it as CQRS_SEED");

my $commands = $ENV{CQRS_STORM} // 1_000;
my $long     = $commands >= 10_000;
my $services = $long ? Cqrs::Services->private : Cqrs::Services->get;
my $proxy    = Cqrs::Proxy->new(port => $services->env('AMQP_PORT'));
my $loop     = Cqrs::Loop->new(services => $services, proxy => $proxy);

for my $account (1 .. ACCOUNTS) {
    wait_until { $loop->command('alice', $account, 'open', { name => "Account $account" })->{status} == 202 }
        20, 'an account to be opened';
}
wait_until { $loop->value('select count(*) from api.accounts') == ACCOUNTS } 60, 'the accounts to be there';


# A line for each answer: the command's number, status (0: none came) and id.
# Commands of even numbers have a key and are repeated until they are answered
# 202, some of them beyond that; the others are sent once.
sub client {
    my ($n) = @_;

    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    srand($seed + $n);
    open my $out, '>', "$loop->{dir}/storm.$n" or die "storm.$n: $!";
    $out->autoflush(1);
    my $http = Cqrs::Http->new($loop->{nginx}->port);

    for (my $i = $n; $i < $commands; $i += CLIENTS) {
        my %headers = (
            'Authorization' => 'Bearer ' . $loop->token('alice'),
            'Content-Type'  => 'application/json',
            $i & 1 ? () : ('Idempotency-Key' => "storm-$i"),
        );
        my $path = '/accounts/' . (1 + $i % ACCOUNTS) . '/deposit';

        while (1) {
            my $answer = eval { $http->request('POST', $path, \%headers, '{"amount": 1}') };
            my $status = $answer ? $answer->{status} : 0;
            print $out join(' ', $i, $status, $answer && $answer->{headers}{'command-id'} || '-'), "\n";
            $http = Cqrs::Http->new($loop->{nginx}->port) if !$status;
            last if $i & 1 || ($status == 202 && rand() < 0.8);
            sleep 0.03 if $status != 202;
        }
    }
    POSIX::_exit(0);
}

sub answers {
    return map { [split] } map { split /\n/, Cqrs::Paths::slurp("$loop->{dir}/storm.$_") }
        grep { -e "$loop->{dir}/storm.$_" } 0 .. CLIENTS - 1;
}

# The file of each client grows by some fifty bytes for each answer.
sub sent {
    my $bytes = 0;
    $bytes += -s "$loop->{dir}/storm.$_" // 0 for 0 .. CLIENTS - 1;

    return $bytes / 45;
}

my @faults = (
    [ 'the link is cut',        sub { $proxy->cut } ],
    [ 'nginx is reloaded',      sub { $loop->{nginx}->reload } ],
    [ 'a worker is killed',     sub { kill 'KILL', ($loop->{nginx}->worker_pids)[0] } ],
    [ 'the link is cut again',  sub { $proxy->cut } ],
    [ 'the consumer is killed', sub { $loop->{consumer}->kill; $loop->start_consumer } ],
);
push @faults, [ 'the broker is killed', sub { $services->kill('rabbitmq'); $services->start('rabbitmq') } ]
    if $long;

my $between = $long ? 400 : $commands / 12;
$loop->token('alice');
my %clients = map { client($_) => 1 } 0 .. CLIENTS - 1;
my ($rounds, $due) = (0, $between);

wait_until {
    delete $clients{$_} for grep { waitpid($_, POSIX::WNOHANG()) == $_ } keys %clients;
    if (%clients && sent() >= $due) {
        my ($what, $do) = @{ $faults[ $rounds++ % @faults ] };
        note "$what after " . int(sent()) . ' answers';
        $do->();
        $due = sent() + $between;
    }
    !%clients;
} $long ? 7200 : PATIENCE, 'the clients to be done';

cmp_ok($rounds, '>=', scalar(@faults), "$rounds faults on the way");

my (%ids, %accepted, %statuses);
for (answers()) {
    my ($i, $status, $id) = @$_;
    $statuses{$status}++;
    next if $status != 202;
    $accepted{$id} = 1;
    $ids{$i}{$id} = 1;
}
note join ', ', map { "$statuses{$_} times $_" } sort keys %statuses;
is(join(' ', grep { !/^(0|202|503)\z/ } keys %statuses), '', 'no answer but 202 and 503');

my @keyed = grep { !($_ & 1) } 0 .. $commands - 1;
is(scalar(grep { keys %{ $ids{$_} || {} } != 1 } @keyed), 0,
    'each of ' . @keyed . ' keys has one command, however often it was sent');

my @accepted = keys %accepted;
wait_until {
    $loop->value(q{select count(*) from cqrs.inbox where id = any($1) and status = 'completed'},
        \@accepted) == @accepted
} PATIENCE, 'each accepted command to be executed';
pass(@accepted . ' commands were answered 202, each was executed');

is($loop->value(<<'SQL'), 0, 'none of all that were executed was executed twice');
    select count(*)
      from (select 1 from cqrs.events where type = 'deposited'
             group by metadata->>'command_id' having count(*) > 1) as twice
SQL
is($loop->value(<<'SQL'), 0, 'and what is on the accounts is what was executed');
    select sum(balance) - (select count(*) from cqrs.inbox where status = 'completed') + count(*)
      from api.accounts
SQL

$loop->{nginx}->stop(allow => qr/worker process \d+ exited on signal 9/);
$loop->stop;
$proxy->stop;

done_testing;
