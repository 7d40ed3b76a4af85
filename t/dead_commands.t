#!/usr/bin/perl

# cqrs-consumer dead: what a person on call does with the dead letters.

use strict;
use warnings;

use JSON ();
use Test::More;

use Cqrs::Commands;
use Cqrs::Consumer;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant LETTERS => 45;

my $services = Cqrs::Services->get;
my $database = $services->database(bank => 1, partitions => 1);
my $vhost    = $services->vhost;
my $redis    = $services->redis;
my $user     = "dead-$$";

sub dead {
    my (@words) = @_;

    return Cqrs::Consumer->ask(vhost => $vhost, words => [ 'dead', @words ]);
}

sub letters {
    my ($status, $out) = dead('list', '--json');
    is($status, 0, 'dead list --json');

    return @{ JSON::decode_json($out) };
}

sub wait_depth {
    my ($depth) = @_;

    wait_until { $vhost->queue_depth('cqrs.dead-letters') == $depth } 10, "$depth dead letters";
}


my ($status, $out, $error) = dead('list');
is_deeply([ $status, $out ], [ 0, "There are no dead letters.\n" ],
    'dead list: nothing is there, not even the daemon was');

my $consumer = Cqrs::Consumer->start(
    database => $database, vhost => $vhost, redis => $redis,
);
my $commands = Cqrs::Commands->new(
    database => $database, vhost => $vhost, partitions => 1, user => $user,
);
$commands->ready;

my @ids = map { $commands->send("account-$_", 'open', qq({"secret": $_)) } 1 .. LETTERS;
wait_depth(LETTERS);

my @letters = letters();
is_deeply([ map { $_->{id} } @letters ], \@ids, 'lists all of them, in order');
is_deeply($letters[1], {
    place => 2, id => $ids[1], type => 'open', stream => 'account-2', user => $user,
    queue => 'cqrs.commands.0', size => 12,
    reason => "Its body: line 1, column 12: '}' expected.",
}, 'with what is known of each');

($status, $out) = dead('list');
is($status, 0, 'dead list');
my @lines = split /\n/, $out;
is(scalar @lines, 1 + LETTERS, 'one line for each');
like($lines[0], qr/^PLACE +ID +TYPE +STREAM +QUEUE +SIZE +REASON$/, 'under a head');
like($lines[2], qr/^2 +$ids[1] +open +account-2 +cqrs\.commands\.0 +12 +Its body: /, 'aligned');
unlike($out, qr/secret/, 'without what they say');

wait_depth(LETTERS);
is_deeply([ map { $_->{id} } letters() ], \@ids, 'looking at them changes nothing, nor their order');


# show

($status, $out) = dead('show', $ids[2]);
is($status, 0, 'dead show ID');
like($out, qr/^place +3$/m, 'shows its place');
like($out, qr/^reason +Its body: .*\.$/m, 'its reason');
like($out, qr/^exchange +cqrs\.commands$/m, 'where it came from');
like($out, qr/^routing_key +open\.0$/m, 'and how');
like($out, qr/^headers +\{.*"stream": "account-3"/m, 'its headers');
like($out, qr/\n\n\{"secret": 3\n\z/, 'and what it says');

my ($by_place) = (dead('show', 3))[1];
is($by_place, $out, 'dead show PLACE: the same');

($status, $out) = dead('show', '--json', 3);
my $letter = JSON::decode_json($out);
is($letter->{body}, '{"secret": 3', 'dead show --json');
is($letter->{headers}{user}, $user, 'with all headers');

for my $verb (qw(show retry discard)) {
    ($status, $out, $error) = dead($verb, $database->value('select gen_random_uuid()'));
    is($status, 1, "dead $verb: exit status 1 when it is not there");
    like($error, qr/\Acqrs-consumer: there is no dead letter "[-0-9a-f]{36}"\n\z/, 'and a sentence');
}


# discard

is_deeply([ dead('discard', 3) ], [ 0, "Dead letter $ids[2] is discarded.\n", '' ], 'dead discard');
splice @ids, 2, 1;
wait_depth(LETTERS - 1);
is_deeply([ map { $_->{id} } letters() ], \@ids, 'takes this one, and leaves the others in order');


# retry: what is as bad as before comes back, and still knows where it came from.

is_deeply([ dead('retry', $ids[1]) ], [ 0, "Dead letter $ids[1] is back in its queue.\n", '' ],
    'dead retry');
push @ids, splice @ids, 1, 1;
my @after;
wait_until { @after = letters(); @after == @ids } 10, 'it to be dead again';
is_deeply([ map { $_->{id} } @after ], \@ids, 'what is as bad as before is dead again');
$letter = JSON::decode_json((dead('show', '--json', $ids[-1]))[1]);
is_deeply([ @{$letter}{qw(exchange routing_key queue)} ],
    [ 'cqrs.commands', 'open.0', 'cqrs.commands.0' ], 'and still knows where it came from');
is(scalar(grep { $_->{message}{data}{id} eq $ids[-1] } $commands->history($redis, "user:$user")),
    1, 'its issuer was told once');

$vhost->get('cqrs.dead-letters', LETTERS);


# An event whose reaction was repaired.

$database->dbh->do($_) for <<'EOS', <<'EOS';
create function bank.react_badly(event cqrs.event) returns setof cqrs.command
    language plpgsql
as $$ begin raise exception 'out of order'; end $$
EOS
select cqrs.register('account', decide => 'bank.decide', evolve => 'bank.evolve',
                     project => 'bank.project', react => 'bank.react_badly', notify => 'bank.notify')
EOS
$commands->send('account-1', 'open', { owner => $user });
$commands->send('account-2', 'open', { owner => $user });
wait_depth(2);
is($vhost->get('cqrs.dead-letters', 2), 2, 'each event whose reaction fails is dead');

$commands->send('account-1', 'deposit', { amount => 10 });
wait_depth(1);
$vhost->get('cqrs.dead-letters');
$vhost->declare_queue('watch');
$vhost->bind('watch', 'cqrs.events', '#');
$commands->send('account-1', 'transfer', { to => '2', amount => 7 });
wait_depth(1);

$database->dbh->do(<<'EOS');
select cqrs.register('account', decide => 'bank.decide', evolve => 'bank.evolve',
                     project => 'bank.project', react => 'bank.react', notify => 'bank.notify')
EOS
is((dead('retry', 1))[0], 0, 'dead retry, of an event');
wait_until { $commands->balance('account-2') == 7 } 20, 'the transfer to arrive';
ok(1, 'is reacted to then');
my @events;
wait_until { push @events, $vhost->get('watch', 10); @events >= 2 } 10, 'events';
my %seen;
$seen{ $_->{properties}{message_id} }++ for @events;
is(scalar(grep { $_ > 1 } values %seen), 0, 'and nobody else gets it twice');


# A command for which its headers leave no room: RabbitMQ moves it.

my $large = $commands->send('account-1', 'deposit', { amount => 1 },
    headers => { claims => 'x' x 128_000 });
wait_depth(1);
@letters = letters();
is($letters[0]{id}, $large, 'a message with headers that leave no room is among the dead letters');
is($letters[0]{reason}, 'RabbitMQ moved it: rejected.', 'where RabbitMQ put it');
is($letters[0]{queue}, 'cqrs.commands.0', 'from where');
is((dead('retry', $large))[0], 0, 'it can be retried, too');
wait_depth(1);
is((dead('discard', $large))[0], 0, 'and discarded');
wait_depth(0);


# A stranger.

$vhost->publish('cqrs.dead', '', {}, "\e[31m\xff");
wait_depth(1);
($status, $out, $error) = dead('retry', 1);
is_deeply([ $status, $out, $error ], [ 1, '',
    "cqrs-consumer: dead letter 1 can't be retried: it does not say where it came from\n" ],
    'what does not come from the daemon is not put anywhere');
wait_depth(1);
($status, $out) = dead('show', 1);
like($out, qr/^body_hex +1b5b33316dff$/m, 'what is no text is shown as it is');

$vhost->publish('cqrs.dead', '', { headers => { stream => "\e[2J" } }, "\e[31m");
wait_depth(2);
unlike(join('', (dead('list'))[1], (dead('show', 2))[1]), qr/\e/, 'nothing speaks to the terminal');

is($consumer->stop, 0, 'the daemon leaves');

my $away = $vhost->url =~ s/:\d+\//:1\//r;
($status, $out, $error) = Cqrs::Consumer->ask(words => [ qw(dead list) ], args => [ '--rabbitmq', $away ]);
is($status, 1, 'RabbitMQ away: exit status 1');
like($error, qr/\Acqrs-consumer: rabbitmq: [^\n]+\n\z/, 'and a sentence');

done_testing;
