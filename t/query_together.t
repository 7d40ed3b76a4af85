# Quick queries are sent together, and know nothing of one another: not what one
# sets, not that one fails, not that one takes long after all.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Query;
use Cqrs::Wait qw(wait_until);

my $CLIENTS = 40;

my $database = Cqrs::Query->database;
my $conninfo = $database->conninfo(Cqrs::Query::USER);

$database->dbh->do($_) for <<'SQL',
create function api.mark(name text) returns text language plpgsql stable as $$
begin
    if coalesce(current_setting('my.name', true), '') = '' then
        perform set_config('my.name', name, true);
    end if;
    return current_setting('my.name');
end $$
SQL
    <<'SQL',
create function api.header() returns text language sql stable as $$
    select current_setting('request.headers')::json->>'x-number' $$
SQL
    <<'SQL',
create function api.wait(seconds double precision) returns boolean language sql stable as $$
    select pg_sleep(seconds) is not null $$
SQL
    <<'SQL',
create function api.forget() returns boolean language plpgsql volatile as $$
begin
    execute 'deallocate all';
    return true;
end $$
SQL
    'create view api.forgotten as select api.forget() as so',
    <<'SQL';
create view api.blocks as select count(*) as n from pg_prepared_statements where statement = 'begin'
SQL
$database->dbh->do('grant select on all tables in schema api to ' . Cqrs::Query::USER);
$database->dbh->do('grant execute on all functions in schema api to ' . Cqrs::Query::USER);

my $nginx = Cqrs::Nginx->new(http => <<"CONFIG");
cqrs_query_channel off;
server {
    listen 127.0.0.1:%PORT%;

    location /one/ {
        cqrs_postgres "$conninfo application_name=one" pool=1 timeout=10s;
        cqrs_query schema=api;
    }
    location /two/ {
        cqrs_postgres "$conninfo application_name=two" pool=2 timeout=10s;
        cqrs_query schema=api;
    }
    location /apart/ {
        cqrs_postgres "$conninfo application_name=apart" pool=1 pipeline=1 timeout=10s;
        cqrs_query schema=api;
    }
    location /plain/ {
        cqrs_postgres "$conninfo application_name=plain" pool=1 prepare=off timeout=10s;
        cqrs_query schema=api;
    }
}
CONFIG
$nginx->start;
my $http = Cqrs::Http->new($nginx->port, timeout => 20);
my @clients = map { Cqrs::Http->new($nginx->port, timeout => 20) } 1 .. $CLIENTS;

subtest 'what runs together' => sub {
    is($http->get('/one/blocks')->{body}, '[{"n":0}]', 'has no need of blocks when it is alone');
    is(wrong('/one/items?select=id&id=eq.%d', '[{"id":%d}]'), 0, 'is answered');
    is($http->get('/one/blocks')->{body}, '[{"n":1}]', 'was in blocks behind one Sync');

    is(wrong('/apart/items?select=id&id=eq.%d', '[{"id":%d}]'), 0, 'and is answered with pipeline=1');
    is($http->get('/apart/blocks')->{body}, '[{"n":0}]', 'one by one');
};

subtest 'what one sets' => sub {
    is(wrong('/one/rpc/mark?name=n%d', '"n%d"'), 0, 'is set for no other');
    is(wrong('/plain/rpc/mark?name=n%d', '"n%d"'), 0, 'not with prepare=off either');

    for my $round (1 .. 5) {
        $clients[$_]->send_request('GET', '/one/rpc/header', { 'X-Number' => "$round-$_" }) for 0 .. $#clients;
        is(scalar(grep { $clients[$_]->read_answer->{body} ne qq("$round-$_") } 0 .. $#clients), 0,
            "each sees its own request, round $round");
    }
};

subtest 'one that fails' => sub {
    for my $pool ('one', 'plain') {
        wrong("/$pool/items?select=id&id=eq.%d", '[{"id":%d}]');       # it is known to be quick
        my ($failed, $wrong) = (0, 0);

        for (1 .. 10) {
            $clients[$_]->send_request('GET', "/$pool/items?select=id&id=eq." . ($_ % 8 ? $_ % 5 + 1 : 'x'))
                for 0 .. $#clients;
            my @answers = map { $_->read_answer } @clients;
            $failed += grep { $_->{body} =~ /"22P02"/ } @answers;
            $wrong  += grep { $_ % 8 && $answers[$_]{body} ne filled('[{"id":%d}]', $_ % 5 + 1) } 0 .. $#answers;
        }

        is($failed, 10 * $CLIENTS / 8, "is told so ($pool)");
        is($wrong, 0, 'and those behind it are answered');
        is(open_blocks($pool), 0, 'and it leaves no transaction open');
    }
};

# Texts that are new are sent behind those that run together.
subtest 'one that fails before others' => sub {
    for my $pool ('one', 'plain') {
        my ($failed, $wrong) = (0, 0);

        for my $round (1 .. 10) {
            $clients[$_]->send_request('GET', "/$pool/items?select=" . (
                $_ == 3 ? 'id&id=eq.x' : $_ % 2 ? 'id&id=eq.2' : "z$pool$round:id&id=eq.2")) for 0 .. $#clients;
            my @answers = map { $_->read_answer->{body} } @clients;
            $failed++ if $answers[3] =~ /"22P02"/;
            $wrong += grep { $_ != 3 && $answers[$_] ne ($_ % 2 ? '[{"id":2}]' : qq([{"z$pool$round":2}])) }
                0 .. $#answers;
        }

        is($failed, 10, "is told so ($pool)");
        is($wrong, 0, 'and they are answered');
        is(open_blocks($pool), 0, 'and no transaction is left open');
    }
};

subtest 'one that takes long after all' => sub {
    is(wrong('/two/rpc/wait?seconds=0', 'true'), 0, 'was quick');

    my $slow = Cqrs::Http->new($nginx->port, timeout => 20);
    $clients[$_]->send_request('GET', '/two/rpc/wait?seconds=0') for 0 .. 9;
    $slow->send_request('GET', '/two/rpc/wait?seconds=3');
    $clients[$_]->send_request('GET', '/two/rpc/wait?seconds=0') for 10 .. $#clients;

    is(scalar(grep { $_->read_answer->{body} ne 'true' } @clients), 0, 'holds up nobody');
    ok(!IO::Select->new($slow->{socket})->can_read(0), 'and is not over then');
    is($slow->read_answer->{body}, 'true', 'but answered in the end');
};

subtest 'what the server has forgotten' => sub {
    is(wrong('/one/items?select=id&id=eq.%d', '[{"id":%d}]'), 0, 'was there');

    for my $round (1 .. 3) {
        $clients[$_]->send_request('GET', $_ == 7 ? '/one/forgotten' : '/one/items?select=id&id=eq.1')
            for 0 .. $#clients;
        my @answers = map { $_->read_answer->{body} } @clients;
        is(scalar(grep { $_ eq '[{"id":1}]' } @answers), $CLIENTS - 1, 'is prepared anew');
        is($answers[7], '[{"so":true}]', 'also for the one that did it');
    }
};

subtest 'clients that leave' => sub {
    my @leaving = map { Cqrs::Http->new($nginx->port) } 1 .. $CLIENTS;
    $_->send_request('GET', '/one/items?select=id&id=eq.2') for map { ($leaving[$_], $clients[$_]) } 0 .. $#clients;
    $_->close for @leaving;
    is(scalar(grep { $_->read_answer->{body} ne '[{"id":2}]' } @clients), 0, 'are missed by nobody');
};

subtest 'a large answer' => sub {
    my $large = Cqrs::Http->new($nginx->port);
    is(wrong('/one/numbers?select=n&order=n&limit=1', '[{"n":1}]'), 0, 'none yet');
    $large->send_request('GET', '/one/large');
    $_->send_request('GET', '/one/numbers?select=n&order=n&limit=1') for @clients;
    $large->close;
    is(scalar(grep { $_->read_answer->{body} ne '[{"n":1}]' } @clients), 0,
        'that nobody takes holds up nobody');
};

$nginx->stop;
done_testing;


# Of all clients' answers, a few times, those that are not as they should be; %d is a number.
sub wrong {
    my ($path, $body) = @_;

    my $wrong = 0;
    for my $round (1 .. 10) {
        my @numbers = map { ($_ + $round) % 5 + 1 } 0 .. $#clients;
        $clients[$_]->send_request('GET', filled($path, $numbers[$_])) for 0 .. $#clients;
        $wrong += grep { $clients[$_]->read_answer->{body} ne filled($body, $numbers[$_]) } 0 .. $#clients;
    }

    return $wrong;
}

sub filled {
    my ($text, $number) = @_;

    return $text =~ s/%d/$number/r;
}

sub open_blocks {
    my ($pool) = @_;

    my $open;
    wait_until {
        $open = $database->value(<<'SQL', $pool);
select count(*) from pg_stat_activity
 where datname = current_database() and application_name = ? and state like 'idle in%'
SQL
        !$open;
    } 5, 'no open transaction';

    return $open;
}
