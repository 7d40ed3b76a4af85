#!/usr/bin/perl

# Asynchronous projections: each event once, whoever dies; one that fails stands
# in nobody's way; none costs nothing.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep);

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant { ACCOUNTS => 20, DEPOSITS => 800, KILLS => 4 };

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 4);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $commands = Cqrs::Commands->new(database => $database, vhost => $vhost, partitions => 4, user => 'alice');

$database->dbh->do($_) for 'create schema shown', 'create table shown.counts (stream text primary key, events bigint not null)', <<'PROJECT';
create function shown.project(events cqrs.event[]) returns void language plpgsql as $$
begin
    if exists (select from unnest(events) as e where e.data->'amount' = '42') then
        raise exception using errcode = 'XX042', message = 'forty-two';
    end if;
    insert into counts as c
    select e.stream, count(*) from unnest(events) as e group by e.stream
    on conflict (stream) do update set events = c.events + excluded.events;
end $$
PROJECT


# --- none ---

my $consumer = start();
$commands->ready;
my @ids = map { $commands->send("account-$_", 'open', {}) } 1 .. ACCOUNTS;
$commands->wait_outcomes(@ids);

my $projector;
wait_until { $projector = projector() } 10, 'the projector';
wait_until { my $was = switches($projector); sleep 0.3; switches($projector) == $was } 10, 'the projector to be asleep';
my $slept = switches($projector);
push @ids, map { $commands->send("account-$_", 'deposit', { amount => 1 }) } 1 .. ACCOUNTS;
$commands->wait_outcomes(@ids);
is(switches($projector), $slept, 'as long as there is no asynchronous projection nobody wakes up for it');

$database->dbh->do(q{select cqrs.register_projection('counts', 'shown.project', '{counts}', '{account}', mode => 'async')});
caught_up('one that is registered is run, from the first event on');
is($database->value('select sum(events) from shown.counts'), scalar @ids, 'it shows each event once');
$database->dbh->do(q{select cqrs.register_projection('account', 'bank.project', '{accounts, transactions}', '{account}', mode => 'async')});


# --- killed under load ---

is($consumer->stop, 0, 'the daemon leaves');
push @ids, map { $commands->send('account-' . (1 + $_ % ACCOUNTS), 'deposit', { amount => 1 }) } 1 .. DEPOSITS;

for my $kill (1 .. KILLS) {
    my $before = projected();

    $consumer = start();
    wait_until { projected() > $before } 30, 'something to be projected';
    sleep rand 0.05;
    $consumer->kill;
}
cmp_ok(projected(), '<', @ids, 'the daemon was killed in the middle of the work, ' . KILLS . ' times');

$consumer = start();
my $second = start();
$commands->wait_outcomes(@ids);
caught_up('the projections catch up');
is($database->value('select sum(events) from shown.counts'), $database->value('select count(*) from cqrs.events'),
    'each event is shown once, with two daemons at it at last');
verified('and the tables are what the log says');
is($second->stop, 0, 'one daemon leaves');


# --- one that fails ---

push @ids, $commands->send('account-1', 'deposit', { amount => 42 });
push @ids, map { $commands->send("account-$_", 'deposit', { amount => 5 }) } 1 .. ACCOUNTS;
$commands->wait_outcomes(@ids);

$consumer->wait_log(qr/\[error\].* projection counts fails in partition \d, XX042 "forty-two"; trying again in \d+ ms/);
pass('a projection that fails is logged, with its reason');
wait_until { $database->value(q{select count(*) from cqrs.projection_status where name = 'account' and behind > 0}) == 0 } 10,
    'the other projection to be complete';
pass('others go on');
wait_until { $database->value(q{select count(*) from cqrs.projection_status where name = 'counts' and behind > 0}) == 1 } 10,
    'all but one partition of the failing one to be complete';
is_deeply($database->dbh->selectrow_arrayref(
        q{select behind > 0, code, message from cqrs.projection_status where code is not null}),
    [ 1, 'XX042', 'forty-two' ], 'it can be asked why it stands still, and how far behind it is');
verified('what it shows is what the log says, up to where it stands');

$database->dbh->do($database->value(q{select replace(pg_get_functiondef('shown.project'::regproc), $$'42'$$, $$'43'$$)}));
caught_up('once it is mended it goes on by itself');
is($database->value('select count(*) from cqrs.projection_status where code is not null'), 0, 'and the failure is forgotten');
is($database->value('select sum(events) from shown.counts'), scalar @ids, 'nothing was left out or shown twice');


# --- rebuilt ---

{
    push @ids, map { $commands->send('account-' . (1 + $_ % ACCOUNTS), 'deposit', { amount => 1 }) } 1 .. 300;
    my $rebuild = Cqrs::Consumer->start(database => $database, user => $services->env('PG_USER'), command => 'rebuild',
        args => ['counts']);
    is($rebuild->wait(60), 0, 'it is rebuilt while commands come') or diag($rebuild->log);
    $commands->wait_outcomes(@ids);
    caught_up('and goes on from there');
    verified('its tables are what the log says');
}

$database->dbh->do(q{select cqrs.unregister_projection('counts')});
push @ids, $commands->send('account-1', 'deposit', { amount => 1 });
$commands->wait_outcomes(@ids);
caught_up('one that is forgotten is not run any more');
is($consumer->stop, 0, 'the daemon leaves');

done_testing;


sub start {
    return Cqrs::Consumer->start(database => $database, vhost => $vhost, redis => $redis, args => [ '--batch', 8 ]);
}


sub projected { return $database->value('select coalesce(sum(events), 0) from shown.counts') }


sub caught_up {
    my ($title) = @_;

    wait_until {
        $database->value(<<'SQL') == 0
select count(*) from cqrs.projection_status where behind > 0
SQL
    } 60, $title;
    pass($title);
}


sub verified {
    my ($title) = @_;

    my $verify = Cqrs::Consumer->start(database => $database, user => $services->env('PG_USER'), command => 'verify');
    is($verify->wait(60), 0, $title) or diag($verify->log);
}


sub projector {
    my $master = $consumer->pid;

    for my $dir (glob '/proc/[0-9]*') {
        return $dir =~ s{.*/}{}r if slurp("$dir/comm") eq "projector\n" && slurp("$dir/stat") =~ /\) \S $master /;
    }

    return undef;
}


sub switches {
    my ($pid) = @_;

    return slurp("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m ? $1 : die "no process $pid\n";
}


# A process may be gone before its file is read.
sub slurp {
    open my $file, '<', $_[0] or return '';

    return join '', <$file>;
}
