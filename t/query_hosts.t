# Where cqrs_postgres connects to: names that are resolved, several hosts, TLS.

use strict;
use warnings;

use Test::More;

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Query;
use Cqrs::Services;

my $services = Cqrs::Services->private(only => ['postgres']);
my $database = Cqrs::Query->database($services);
my $port = $services->env('PG_PORT');
my $closed = Cqrs::Nginx::free_port();

$database->dbh->do(<<'SQL');
copy (select 1) to program
    'openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout server.key -out server.crt 2>/dev/null && chmod 600 server.key'
SQL
$database->dbh->do('alter system set ssl = on');
$database->value('select pg_reload_conf()');

my $rest = sprintf 'dbname=%s user=%s', $database->name, Cqrs::Query::USER;
my $root = $database->value("select current_setting('data_directory')") . '/server.crt';
my $copy = Cqrs::Nginx->new->dir . '/root.crt';
Cqrs::Paths::spew($copy, $database->value('select pg_read_file(?)', $root));
chmod 0644, $copy;

my %conninfo = (
    name      => "host=localhost port=$port $rest",
    address   => "host=127.0.0.1 port=$port $rest",
    hostaddr  => "host=any.name hostaddr=127.0.0.1 port=$port $rest",
    ports     => "host=127.0.0.1,127.0.0.1 port=$closed,$port $rest",
    mixed     => "host=/nonexistent,localhost port=$port $rest",
    uri       => sprintf('postgresql://%s@localhost:%d/%s', Cqrs::Query::USER, $port,
        $database->name),
    attrs     => "host=localhost,127.0.0.1 port=$port target_session_attrs=primary $rest",
    options   => "host=127.0.0.1 port=$port $rest options='-c work_mem=9MB'",
    override  => "host=127.0.0.1 port=$port $rest"
        . " options='-c default_transaction_read_only=off'",
    tls       => "host=127.0.0.1 port=$port sslmode=require $rest",
    verified  => "host=localhost port=$port sslmode=verify-full sslrootcert=$copy $rest",
    mistaken  => "host=127.0.0.1 port=$port sslmode=verify-full sslrootcert=$copy $rest",
);

my $nginx = Cqrs::Nginx->new(http => join '', map {
    qq(location /$_/ { cqrs_postgres "$conninfo{$_}" pool=1; cqrs_query schema=api; }\n)
} sort keys %conninfo);
$nginx->start;
my $http = Cqrs::Http->new($nginx->port);

for my $kind (sort grep { $_ ne 'mistaken' } keys %conninfo) {
    is($http->get("/$kind/items?id=eq.1&select=id")->{body}, '[{"id":1}]', "connected by $kind");
}

for my $kind ('options', 'override') {
    like($http->get("/$kind/writes")->{body}, qr/"code":"25006"/,
        "a session is read only, with $kind too");
}

for my $kind ('tls', 'verified') {
    is(length $http->get("/$kind/large")->{body}, 20_000_000 + length('[{"text":""}]'),
        "a large answer over $kind is whole");
}
is($database->value(<<'SQL', Cqrs::Query::USER), 2, 'two connections are encrypted');
select count(*) from pg_stat_ssl s join pg_stat_activity a using (pid)
 where s.ssl and a.usename = ? and a.datname = current_database()
   and a.client_addr is not null and s.version is not null
   and a.query like '%large%'
SQL

is($http->get('/mistaken/items')->{status}, 503, 'a certificate for another name is refused');
like($nginx->log, qr/connecting failed: .*certificate/, 'and the log says so');

$nginx->stop;
done_testing;
