package Bench::Query;

# GET of one row by its key, and of a page of rows.

use v5.36;

use Cqrs::Paths qw(root);
use JSON ();

use Bench::Node;
use Bench::Pgbench;
use Bench::Program;

my $POOL = 4;
my $KEYS = 10_000;

my $ROW  = 'select id, owner, balance, opened from api.accounts where id = $1';
my $PAGE = 'select id, owner, balance, opened from api.accounts'
         . ' where branch = $1 order by id limit 100';


sub new($class, $stand) {
    my $database = $stand->services->database(install => 0);
    $database->run(root() . '/bench/accounts.sql');

    my $item  = '{"id":"account-1","owner":"user-1","balance":1,"opened":"2026-01-01"}';
    my $half  = join ', \n ', ($item) x 50;        # nginx takes no longer parameter
    my $locations = <<"CONFIG";
        location /api/ {
            cqrs_postgres  "@{[ $database->conninfo ]}" pool=$POOL;
            cqrs_query     schema=api;
        }
        location /wide/ {
            cqrs_postgres  "@{[ $database->conninfo ]}" pool=$POOL;
            cqrs_query     schema=wide;
        }
        location /bare/ {
            cqrs_postgres        "@{[ $database->conninfo ]}" pool=$POOL;
            cqrs_query           schema=api;
            cqrs_query_settings  off;
        }
        location = /return {
            default_type  application/json;
            return        200 '[$item]';
        }
        location = /return-page {
            default_type  application/json;
            set           \$half '$half';
            return        200 '[\$half, \n \$half]';
        }
CONFIG

    my $nginx = $stand->nginx($locations);
    my $polls = $stand->nginx($locations, 'cqrs_busy_poll 1ms;');

    my $node = Bench::Node->start('query', JSON::encode_json(_connection($database)), $POOL);

    return bless {
        stand => $stand, database => $database, nginx => $nginx, polls => $polls, node => $node,
    }, $class;
}


sub groups($self) {
    my $row  = '/api/accounts?select=id,owner,balance,opened&id=eq.account-%ld';
    my $bare = $row =~ s{^/api}{/bare}r;
    my $wide = $row =~ s{^/api}{/wide}r;
    my $page = '/api/accounts?select=id,owner,balance,opened&branch=eq.%ld&order=id&limit=100';

    my $many = {
        name     => 'query, 64',
        of       => 'one row',
        variants => {
            module                       => sub { $self->_http($row, $KEYS, 64) },
            'module, no settings'        => sub { $self->_http($bare, $KEYS, 64) },
            'module, 1,000 tables'       => sub { $self->_http($wide, $KEYS, 64) },
            "libpq x$POOL"               => sub { $self->_libpq($ROW, 'account-%ld', $KEYS, $POOL, 1) },
            "libpq x$POOL, json_agg"     => sub { $self->_libpq(_json($ROW), 'account-%ld', $KEYS, $POOL, 1) },
            "libpq x$POOL, pipeline 16"  => sub { $self->_libpq($ROW, 'account-%ld', $KEYS, $POOL, 16) },
            "pgbench x$POOL"             => sub { $self->_pgbench(_script($ROW, q{'account-' || :key}), $KEYS) },
            'fastify and pg'             => sub { $self->_node('/row/account-%ld', $KEYS) },
            'nginx return 200'           => sub { $self->_http('/return', 1, 64) },
        },
        rows     => [],
    };

    for my $floor ("pgbench x$POOL", 'fastify and pg', "libpq x$POOL",
                   "libpq x$POOL, json_agg", "libpq x$POOL, pipeline 16", 'nginx return 200')
    {
        push @{ $many->{rows} },
            { what => 'one row by key, requests/s', of => 'rate', better => 'more',
              ours => 'module', floor => $floor },
            { what => 'one row by key, CPU us', of => 'cpu_us', better => 'less',
              ours => 'module', floor => $floor };
    }

    # the transaction then knows nothing of its request: the same SQL as the floor
    push @{ $many->{rows} },
        map { (
            { what => 'the same, cqrs_query_settings off, requests/s', of => 'rate',
              better => 'more', ours => 'module, no settings', floor => $_ },
            { what => 'the same, cqrs_query_settings off, CPU us', of => 'cpu_us',
              better => 'less', ours => 'module, no settings', floor => $_ },
        ) } "pgbench x$POOL", 'fastify and pg';

    push @{ $many->{rows} },
        { what => 'the same, 1,000 tables in the catalogue, CPU us', of => 'cpu_us',
          better => 'less', ours => 'module, 1,000 tables', floor => 'module' };

    my $alone = {
        name     => 'query, 1',
        of       => 'one row',
        variants => {
            module             => sub { $self->_http($row, $KEYS, 1) },
            'busy poll'        => sub { $self->_http($row, $KEYS, 1, 'polls') },
            'busy poll, no settings' => sub { $self->_http($bare, $KEYS, 1, 'polls') },
            'libpq'            => sub { $self->_libpq($ROW, 'account-%ld', $KEYS, 1, 1) },
            'nginx return 200' => sub { $self->_http('/return', 1, 1) },
        },
        rows     => [
            (map { { what => 'one row by key, median us', of => 'answer_p50', better => 'less',
                     ours => 'module', floor => $_ } } 'libpq', 'nginx return 200'),
            { what => 'the same, cqrs_busy_poll 1ms, median us', of => 'answer_p50', better => 'less',
              ours => 'busy poll', floor => 'libpq' },
            { what => 'the same, cqrs_query_settings off too, median us', of => 'answer_p50', better => 'less',
              ours => 'busy poll, no settings', floor => 'libpq' },
        ],
    };

    my $pages = {
        name     => 'query, 64',
        of       => 'page of 100',
        variants => {
            module                   => sub { $self->_http($page, $KEYS / 100, 64) },
            "libpq x$POOL, json_agg" => sub { $self->_libpq(_json($PAGE), '%ld', $KEYS / 100, $POOL, 1) },
            "libpq x$POOL, rows, pipeline 16" => sub { $self->_libpq($PAGE, '%ld', $KEYS / 100, $POOL, 16) },
            'nginx return 200'       => sub { $self->_http('/return-page', 1, 64) },
            "pgbench x$POOL, json_agg" => sub { $self->_pgbench(_script(_json($PAGE), ':key'), $KEYS / 100) },
            "pgbench x$POOL, count"    => sub { $self->_pgbench(_script(_count($PAGE), ':key'), $KEYS / 100) },
            'fastify and pg'         => sub { $self->_node('/page/%ld', $KEYS / 100) },
        },
        rows     => [],
    };

    # the last two together are the least that it could cost; and before them, what it
    # costs Postgres to read the rows and to give away nothing but their number

    for my $floor ("pgbench x$POOL, json_agg", 'fastify and pg', "libpq x$POOL, json_agg",
                   "pgbench x$POOL, count", "libpq x$POOL, rows, pipeline 16", 'nginx return 200')
    {
        push @{ $pages->{rows} },
            { what => 'page of 100 rows, requests/s', of => 'rate', better => 'more',
              ours => 'module', floor => $floor },
            { what => 'page of 100 rows, CPU us', of => 'cpu_us', better => 'less',
              ours => 'module', floor => $floor };
    }

    return $many, $alone, $pages;
}


sub _json($sql) {
    return "select coalesce(json_agg(t), '[]') from ($sql) t";
}


sub _count($sql) {
    return "select count(t.*) from ($sql) t";
}


sub _http($self, $path, $keys, $connections, $name = 'nginx') {
    my $nginx = $self->{$name};

    return Bench::Program->once('http_load', [
        -p => $nginx->port, -c => $connections, -r => $keys, -u => $path,
        -t => $self->{stand}->seconds,
    ], $self->{stand}->patience, nginx => $nginx->pid, $self->{stand}->pids('postgres'));
}


sub _node($self, $path, $keys) {
    return Bench::Program->once('http_load', [
        -p => $self->{node}->port, -c => 64, -r => $keys, -u => $path,
        -t => $self->{stand}->seconds,
    ], $self->{stand}->patience, node => $self->{node}->pid, $self->{stand}->pids('postgres'));
}


# pgbench's own script: a key in turn is a random one there.
sub _script($sql, $key) {
    $sql =~ s/\$1/$key/ or die "no key in: $sql\n";

    return "\\set key random(1, :keys)\n$sql;\n";
}


sub _pgbench($self, $script, $keys) {
    my $file = Cqrs::Paths::build() . '/bench/query.sql';

    open my $to, '>', $file or die "$file: $!\n";
    print {$to} $script;
    close $to or die "$file: $!\n";

    return Bench::Pgbench->once($self->{database}, [
        -c => $POOL, -j => 1, -T => $self->{stand}->seconds, -D => "keys=$keys", -f => $file,
    ], $self->{stand}->pids('postgres'));
}


sub _connection($database) {
    my %of = $database->conninfo =~ /(\w+)='?([^'\s]*)'?/g;

    return {
        host => $of{host}, port => $of{port} + 0, user => $of{user}, database => $of{dbname},
    };
}


sub _libpq($self, $sql, $key, $keys, $connections, $window) {
    return Bench::Program->once('pg_floor', [
        -d => $self->{database}->conninfo, -q => $sql, -k => $key, -r => $keys,
        -c => $connections, -w => $window, -t => $self->{stand}->seconds,
    ], $self->{stand}->patience, $self->{stand}->pids('postgres'));
}


sub stop($self) {
    $_->stop for @{$self}{qw(nginx polls)};
    $self->{node}->stop;

    return;
}


1;
