# Behind PgBouncer in transaction mode, where each query may have another
# session: prepare=off leaves nothing in it, and needs nothing from it.

use strict;
use warnings;

use Test::More;

use Cqrs::Account;
use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Query;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $pgbouncer = (grep { -x } '/usr/sbin/pgbouncer', '/usr/bin/pgbouncer')[0];
plan skip_all => 'PgBouncer is not installed' unless $pgbouncer;

my $services = Cqrs::Services->private(only => ['postgres']);
my $database = Cqrs::Query->database($services);
my ($name, $user) = ($database->name, Cqrs::Query::USER);
my $dir = Cqrs::Account::dir();
my $port = Cqrs::Nginx::free_port();

# All it refuses by default is refused: nothing is to be ignored.
Cqrs::Paths::spew("$dir/users", qq("$user" ""\n));
Cqrs::Paths::spew("$dir/ini", sprintf <<'END', $services->env('PG_PORT'), $port, $dir);
[databases]
* = host=127.0.0.1 port=%d

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s/users
pool_mode = transaction
default_pool_size = 2
END
chmod 0644, "$dir/ini", "$dir/users";

$database->dbh->do(<<'SQL');
create function api.session(wanted text) returns text
    language sql stable as 'select pg_catalog.current_setting(wanted)';
create view api.read_only as select api.session('transaction_read_only') as is;
create view api.dates as select api.session('datestyle') as is;
create view api.kept as select count(*) as n from pg_catalog.pg_prepared_statements;
SQL
$database->dbh->do("grant select on all tables in schema api to $user");
$database->dbh->do("alter role $user in database $name set datestyle = 'German'");

my $bouncer = begin();

my $nginx = Cqrs::Nginx->new(http => <<"CONFIG");
server {
    listen 127.0.0.1:%PORT%;
    location /api/ {
        cqrs_postgres "host=127.0.0.1 port=$port dbname=$name user=$user"
                      pool=4 prepare=off;
        cqrs_query schema=api;
    }
    location /prepared/ {
        cqrs_postgres "host=127.0.0.1 port=$port dbname=$name user=$user" pool=1 timeout=300ms;
        cqrs_query schema=api;
    }
}
CONFIG
$nginx->start;
my $http = Cqrs::Http->new($nginx->port);

is($http->get('/api/items?id=eq.1&select=id')->{body}, '[{"id":1}]', 'a query is answered');
is($http->get('/prepared/items')->{status}, 503, 'which it is not without the parameter');

subtest 'many at once, more than PgBouncer has sessions' => sub {
    my @clients = map { Cqrs::Http->new($nginx->port) } 1 .. 40;
    my $wrong = 0;
    for my $round (1 .. 10) {
        $_->send_request('GET', "/api/items?select=c$round:id&id=eq.3") for @clients;
        $wrong += grep { $_->read_answer->{body} ne qq([{"c$round":3}]) } @clients;
    }
    is($wrong, 0, 'are all answered');
    is($http->get('/api/kept?n=gt.0')->{body}, '[]', 'and leave nothing prepared');
};

subtest 'a session' => sub {
    is($http->get('/api/read_only')->{body}, '[{"is":"on"}]', 'is read only in each query');
    like($http->get('/api/writes')->{body}, qr/"code":"25006"/, 'so that none writes');
    like($http->get('/api/dates')->{body}, qr/"ISO, /, 'and writes dates as ISO does');
    is($database->value("select current_setting('transaction_read_only')"), 'off',
        'but only for it');
};

subtest 'a query that fails' => sub {
    my @clients = map { Cqrs::Http->new($nginx->port) } 1 .. 20;
    $clients[$_]->send_request('GET', $_ % 2 ? '/api/broken' : '/api/cheap?select=id&id=eq.1') for 0 .. 19;
    my @answers = map { $_->read_answer } @clients;
    is(scalar(grep { $_->{body} eq '[{"id":1}]' } @answers), 10, 'disturbs none of the others');
};

subtest 'a client that leaves while its query runs' => sub {
    my $left = Cqrs::Http->new($nginx->port);
    $left->send_request('GET', '/api/slow');
    wait_until { running() == 1 } 10, 'the query runs';
    $left->close;
    $nginx->wait_log(qr/query cancelled, client left/);
    is($http->get('/api/items?id=eq.2&select=id')->{body}, '[{"id":2}]', 'leaves the others served');
};

subtest 'when it goes away' => sub {
    Cqrs::Account::stop($bouncer);
    is($http->get('/api/items?id=eq.1')->{status}, 503, 'the answer is 503');
    $bouncer = begin();
    wait_until { $http->get('/api/items?id=eq.1')->{status} == 200 } 10, 'answers again';
    pass('and rows again when it is back');
};

$nginx->stop;
Cqrs::Account::stop($bouncer);
done_testing;


sub begin {
    my $pid = Cqrs::Account::start("$dir/log", $pgbouncer, "$dir/ini");
    wait_until { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) } 10,
        'PgBouncer listens';

    return $pid;
}

sub running {
    return $database->value(<<'SQL', $user);
select count(*) from pg_stat_activity
 where datname = current_database() and usename = ? and wait_event = 'PgSleep'
SQL
}
