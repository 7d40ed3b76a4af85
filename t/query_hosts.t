# Where cqrs_postgres connects to: names that are resolved, several hosts, TLS.

use strict;
use warnings;

use Test::More;

use Cqrs::Account;
use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Query;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

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
    tls       => "host=127.0.0.1 port=$port sslmode=require application_name=tls $rest",
    verified  => "host=localhost port=$port sslmode=verify-full sslrootcert=$copy"
        . " application_name=tls $rest",
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
   and a.application_name = 'tls' and a.query not like 'listen%'
SQL

is($http->get('/mistaken/items')->{status}, 503, 'a certificate for another name is refused');
like($nginx->log, qr/connecting failed: .*certificate/, 'and the log says so');

$nginx->stop;

# A primary and a standby that follows it.
subtest 'replicas' => sub {
    my $standby = Cqrs::Nginx::free_port();
    my $dir = Cqrs::Account::dir();
    my ($bin) = glob '/usr/lib/postgresql/*/bin';

    Cqrs::Account::run("$bin/pg_basebackup", '-h', '127.0.0.1', '-p', $port, '-U', 'cqrs',
        '-D', "$dir/data", '-R', '-c', 'fast', '--no-sync');
    my @server = ("$bin/postgres", '-D', "$dir/data", '-p', $standby, '-k', '');
    my $pid = Cqrs::Account::start("$dir/log", @server);

    my $both = "host=127.0.0.1,127.0.0.1 port=$port,$standby $rest";
    my $replicas = Cqrs::Nginx->new(http => <<"CONFIG");
location /primary/ {
    cqrs_postgres "$both target_session_attrs=primary" pool=1;
    cqrs_query schema=api;
}
location /replica/ {
    cqrs_postgres "$both target_session_attrs=prefer-standby" pool=1;
    cqrs_query schema=api;
}
CONFIG
    my $there = sub {
        my $answer = eval { $http->get("/$_[0]/where") } or return '';
        return $answer->{body};
    };

    $database->dbh->do(<<'SQL');
create function api.is_standby() returns boolean
    language sql volatile as 'select pg_catalog.pg_is_in_recovery()';
create view api.where as select api.is_standby() as standby;
SQL
    $database->dbh->do('grant select on api.where to ' . Cqrs::Query::USER);
    my $lsn = $database->value('select pg_current_wal_lsn()');
    wait_until {
        $database->value('select count(*) from pg_stat_replication where replay_lsn >= ?', $lsn)
    } 20, 'the standby to follow';

    $replicas->start;
    $http = Cqrs::Http->new($replicas->port);
    is($there->('primary'), '[{"standby":false}]', 'are not asked where a primary is wanted');
    is($there->('replica'), '[{"standby":true}]', 'are asked where a standby is preferred');

    Cqrs::Account::stop($pid);
    wait_until { $there->('replica') eq '[{"standby":false}]' } 10, 'the primary to be asked';
    pass('or the primary when there is none');

    $pid = Cqrs::Account::start("$dir/log", @server);
    $services->stop('postgres');
    wait_until { $there->('replica') eq '[{"standby":true}]' } 20, 'the standby to be asked';
    pass('and the standby when there is no primary');
    Cqrs::Account::run("$bin/pg_ctl", '-D', "$dir/data", '-w', 'promote');
    wait_until { $there->('primary') eq '[{"standby":false}]' } 20, 'the new primary to be asked';
    pass('which answers everything once it is the primary');

    $replicas->stop;
    Cqrs::Account::stop($pid);
};

done_testing;
