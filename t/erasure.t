#!/usr/bin/perl

# What is personal in events, with the daemon at work: it is nowhere to be read but
# where the domain keeps it, and after an erasure nowhere at all.

use strict;
use warnings;

use JSON ();
use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Paths qw(build);
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $handler = build() . '/t/handlers/person.so';

my $services = Cqrs::Services->get;
my $database = $services->database(partitions => 2);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $user     = "erasure-$$";
my $commands = Cqrs::Commands->new(database => $database, vhost => $vhost, partitions => 2, user => $user);

# One projection in the transaction that appends, one later; one forgets by itself, one is rebuilt.
$database->dbh->do($_) for 'create schema shown',
    'create table shown.met (stream text, version bigint, subject text, name text, primary key (stream, version))',
    'create table shown.names (stream text, version bigint, name text, primary key (stream, version))', <<'EOS', <<'EOS',
create function shown.project(events cqrs.event[]) returns void language plpgsql as $$
begin insert into met select e.stream, e.version, e.subject, e.personal->>'name' from unnest(events) as e; end $$
EOS
create function shown.project_names(events cqrs.event[]) returns void language plpgsql as $$
begin insert into names select e.stream, e.version, e.personal->>'name' from unnest(events) as e; end $$
EOS
    q{create function shown.forget(subject text) returns void language sql
      as 'update shown.met as m set name = null where m.subject = $1'},
    q{select cqrs.register('person', project => 'shown.project', tables => '{shown.met}')},
    q{select cqrs.register_projection('names', 'shown.project_names', '{names}', '{person}', mode => 'async')};

my $consumer = Cqrs::Consumer->start(database => $database, vhost => $vhost, redis => $redis,
    args => [ '--handler', $handler, '--log-level', 'debug' ]);
$commands->ready;
$vhost->declare_queue('watch');
$vhost->bind('watch', 'cqrs.events', '#');


# --- sealed ---

my @met = map { $commands->send(@$_) } (
    [ 'person-1', 'meet', { subject => 's1', name => 'Lovelace' } ],
    [ 'person-2', 'meet', { subject => 's1', name => 'Byron' } ],
    [ 'person-1', 'meet', { subject => 's2', name => 'Hopper' } ],
);
$commands->wait_outcomes(@met);

is_deeply(who('person-1'), { s1 => 1, s2 => 1 }, 'a handler in C makes personal data, and sees it');
caught_up();
is_deeply(shown('met'), [ qw(Byron Hopper Lovelace) ], 'so does a projection');
is_deeply(shown('names'), [ qw(Byron Hopper Lovelace) ], 'and an asynchronous one');

my @published;
wait_until { push @published, $vhost->get('watch', 10); @published >= 3 } 10, 'the events to be published';
unlike(join(' ', map { $_->{body} } @published), qr/Lovelace|Byron|Hopper/, 'it is in no event in RabbitMQ');
unlike(dump_of('cqrs.events*', 'cqrs.notifications*', 'cqrs.inbox*'), qr/Lovelace|Byron|Hopper/,
    'nor in the log, nor in outcomes and notifications');


# --- erased ---

my ($status, $out, $error) = ask('erase', 's1');
is($status, 0, 'a subject is erased, while the daemon works') or diag($error);
like($out, qr/^s1: erased from 2 streams\nnames: rebuilt from 3 events .*\nperson: rebuilt from 3 events .*\n\z/,
    'it is said from how many streams, and which projections were rebuilt');
unlike(dump_of(), qr/Lovelace|Byron/, 'a dump of the database does not hold it any more');
is_deeply(shown('met'), [ 'Hopper' ], 'other subjects are still in the projections');
is_deeply(shown('names'), [ 'Hopper' ], 'all of them');

is_deeply(who('person-1'), { s1 => 0, s2 => 1 }, 'a state that the daemon had in memory is not used any more');

$commands->wait_outcomes($commands->send('person-2', 'meet', { subject => 's1', name => 'King' }));
is_deeply(who('person-2'), { s1 => 1 }, 'it goes on, with another key');
caught_up();
is_deeply(shown('names'), [ qw(Hopper King) ], 'in all projections');

($status, $out, $error) = ask('verify', '--handler', $handler);
is($status, 0, 'and all agrees') or diag($out, $error);
like($out, qr/^ok +states person +[12] streams?,/m, 'the states, too');


# --- with a way to forget ---

$database->dbh->do(q{select cqrs.unregister_projection('names')});
$database->dbh->do('drop table shown.names');
$database->dbh->do(q{select cqrs.register('person', project => 'shown.project', forget => 'shown.forget', tables => '{shown.met}')});

($status, $out, $error) = ask('erase', 's2');
is("$status $out", "0 s2: erased from 1 stream\n", 'a category that forgets has nothing to be rebuilt') or diag($error);
unlike(dump_of(), qr/Hopper/, 'and it is nowhere');
($status, $out, $error) = ask('verify', '--handler', $handler);
is($status, 0, 'and all agrees') or diag($out, $error);


# --- mistakes ---

($status, $out, $error) = ask('erase', 's3');
is("$status $error", qq{1 cqrs-consumer: there is nothing personal of "s3" in this store, and never was\n},
    'a subject that there never was');
$database->dbh->do(q{create function shown.look(events cqrs.event[]) returns void language sql as 'select'});
$database->dbh->do(q{select cqrs.register('person', project => 'shown.look')});
($status, $out, $error) = ask('erase', 's2');
is("$status $error", "1 cqrs-consumer: projection person names no tables: look yourself whether it still shows anything of s2\n",
    'a projection that can\'t be rebuilt is named');

unlike($consumer->log, qr/Lovelace|Byron|Hopper|King/, 'the daemon\'s log never had any of it');
is($consumer->stop, 0, 'the daemon leaves');

done_testing;


sub ask {
    my (@words) = @_;

    return Cqrs::Consumer->ask(database => $database, user => $services->env('PG_USER'), words => \@words);
}


sub who {
    my ($stream) = @_;

    my $id = $commands->send($stream, 'who', {});
    $commands->wait_outcomes($id);

    my $known = JSON::decode_json($database->value('select detail from cqrs.inbox where id = $1', $id));

    return { map { ($_ => $known->{$_} ? 1 : 0) } keys %$known };
}


sub caught_up {
    wait_until { $database->value('select sum(behind) from cqrs.projection_status') == 0 } 10, 'the projections to be complete';
}


sub shown {
    my ($table) = @_;

    return $database->dbh->selectcol_arrayref("select name from shown.$table where name is not null order by 1");
}


# Of all, or of some tables.
sub dump_of {
    my (@tables) = @_;

    open my $out, '-|', 'pg_dump', '-d', $database->conninfo, map { ('-t', $_) } @tables or die "pg_dump: $!\n";
    local $/;
    my $text = <$out>;
    close $out or die "pg_dump failed\n";

    return $text;
}
