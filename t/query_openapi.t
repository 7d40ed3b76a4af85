# The root of a cqrs_query location describes what the role may read there, in
# the two versions of OpenAPI.

use strict;
use utf8;
use warnings;

use JSON ();
use Test::More;

use Cqrs::Http;
use Cqrs::Jwt;
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Services;

use constant SECRET => 'a secret of more than thirty-two bytes';

my $database = Cqrs::Services->get->database(install => 0);
$database->run(Cqrs::Paths::root() . '/t/lib/query_schema.sql');
$database->dbh->do($_) for split /^;\n/m, <<'SQL';
create table shop."{a}/b~c%" ("select" integer primary key, "ä""b" text)
;
create domain shop."application/openapi+json" as json
;
create function shop.root() returns shop."application/openapi+json" language sql stable
    as $$ select '{"swagger": "2.0", "made": "by hand"}'::json $$
;
create function shop.for_clerks(a integer) returns integer
    language sql immutable as $$ select a $$
;
create function shop.for_clerks(a integer, b integer) returns integer
    language sql immutable as $$ select a + b $$
;
revoke execute on function shop.for_clerks(integer, integer) from public
;
grant execute on function shop.for_clerks(integer, integer) to web_clerk
;
grant select (id) on shop.secrets to web_customer
SQL

my $conninfo = $database->conninfo('web_authenticator');

my $nginx = Cqrs::Nginx->new(http => <<"CONFIG");
cqrs_postgres "$conninfo";

server {
    listen 127.0.0.1:%PORT%;
    cqrs_jwt_key HS256 file:%DIR%/key;
    cqrs_jwt optional;
    cqrs_query_anonymous_role web_anonymous;

    location /api/ { cqrs_query schema=shop,other; }

    location /three {
        cqrs_query schema=shop;
        cqrs_query_openapi_version 3.1;
        cqrs_query_openapi_proxy https://shop.example:8443/v1/;
        cqrs_query_openapi_security on;
    }

    location /two/ {
        cqrs_query schema=shop;
        cqrs_query_openapi_proxy https://shop.example;
        cqrs_query_openapi_security on;
    }

    location /all/ {
        cqrs_query schema=shop;
        cqrs_query_openapi ignore-privileges;
    }

    location /none/ {
        cqrs_query schema=shop;
        cqrs_query_openapi disabled;
    }

    location /openid/ {
        cqrs_query schema=shop;
        cqrs_query_openapi_security https://id.example/openid;
    }

    location /own/ {
        cqrs_query schema=shop;
        cqrs_query_root_function root;
    }
}
CONFIG
Cqrs::Paths::spew($nginx->dir . '/key', SECRET);
$nginx->start;

my $http = Cqrs::Http->new($nginx->port);
my $clerk = { Authorization => 'Bearer '
    . Cqrs::Jwt::token({ role => 'web_clerk' }, key => SECRET) };
my $customer = { Authorization => 'Bearer '
    . Cqrs::Jwt::token({ role => 'web_customer' }, key => SECRET) };

subtest 'media types' => sub {
    for my $accept ('*/*', 'application/openapi+json', 'application/json',
        'text/csv, application/openapi+json;q=0.5')
    {
        my $answer = $http->get('/api/', { Accept => $accept });
        is($answer->{status}, 200, $accept);
        is($answer->{headers}{'content-type'}, 'application/openapi+json; charset=utf-8',
            'is openapi+json');
        is(document($answer)->{swagger}, '2.0', 'of version 2.0');
    }

    for my $accept ('application/vnd.oai.openapi+json',
        'application/vnd.oai.openapi+json;version=3.1')
    {
        my $answer = $http->get('/api/', { Accept => $accept });
        is($answer->{status}, 200, $accept);
        is($answer->{headers}{'content-type'},
            'application/vnd.oai.openapi+json;version=3.1; charset=utf-8',
            'is what was asked for');
        is(document($answer)->{openapi}, '3.1.0', 'of version 3.1');
    }

    my $answer = $http->get('/api/',
        { Accept => 'application/vnd.oai.openapi+json;version=2.0' });
    is(document($answer)->{swagger}, '2.0', 'the older version, asked for by its number');

    $answer = $http->get('/api/', { Accept => 'text/csv' });
    is($answer->{status}, 406, 'another type');
    is(document($answer)->{code}, 'PGRST107', 'is not made');

    $answer = $http->get('/api/customers', { Accept => 'application/openapi+json' });
    is($answer->{status}, 406, 'rows are no OpenAPI');
};

subtest 'HEAD' => sub {
    my $answer = $http->request('HEAD', '/api/');
    is($answer->{status}, 200, 'is answered');
    is($answer->{headers}{'content-type'}, 'application/openapi+json; charset=utf-8',
        'with the type');
    ok(!exists $answer->{headers}{'content-length'}, 'and no length');

    is($http->request('POST', '/api/')->{status}, 405, 'POST is refused');
};

subtest 'version 2.0' => sub {
    my $doc = document($http->get('/api/'));

    valid($doc);
    is($doc->{info}{title}, 'The shop', 'the first line of the comment is the title');
    is($doc->{info}{description}, 'What it sells, and to whom.', 'the rest describes it');
    is($doc->{host}, 'localhost:80', 'the host as the client called it');
    is($doc->{basePath}, '/api', 'the path');
    is_deeply($doc->{schemes}, ['http'], 'the scheme');
    ok(!exists $doc->{securityDefinitions}, 'of security nothing is told');

    my $get = $doc->{paths}{'/customers'}{get};
    is($get->{summary}, 'Who buys', 'a comment begins with a summary');
    is($get->{description}, 'People and companies, once each.', 'and goes on as description');
    is_deeply([ map { $_->{'$ref'} =~ s{^#/parameters/}{}r } @{ $get->{parameters} } ],
        [ (map { "rowFilter.customers.$_" } qw(id name email country referrer born rating
                active joined)), qw(select order range rangeUnit offset limit preferCount) ],
        'a filter for each column, and the parameters of all');
    ok($doc->{paths}{"/$_"}, "there is $_")
        for qw(buyers sales far_away visits no_columns), 'Odd Names';
    ok(!$doc->{paths}{"/$_"}, "there is no $_") for qw(visits_2023 tickets);

    my $properties = $doc->{definitions}{customers}{properties};
    is_deeply($properties->{id}, { type => 'integer', format => 'int32',
        description => "Note:\nThis is a Primary Key.<pk/>" }, 'a primary key');
    is($properties->{country}{description}, "Note:\nThis is a Foreign Key to "
        . "`countries.code`.<fk table='countries' column='code'/>", 'a foreign key');
    is($properties->{referrer}{description}, "Who brought them here\n\nNote:\nThis is a "
        . "Foreign Key to `customers.id`.<fk table='customers' column='id'/>",
        'a foreign key with a comment');
    is($properties->{country}{maxLength}, 2, 'a length');
    ok($properties->{active}{default}, 'a default');
    is_deeply($doc->{definitions}{customers}{required}, [qw(id name joined)],
        'columns that are never null');

    $properties = $doc->{definitions}{orders}{properties};
    is_deeply($properties->{status}{enum}, [qw(new paid sent returned)],
        'the values of an enum');
    is($properties->{status}{default}, 'new', 'and its default');
    is_deeply($properties->{notes}, { format => 'json' }, 'JSON may be anything');
    is_deeply($doc->{definitions}{products}{properties}{tags}{items}, { type => 'string' },
        'an array has elements');
    is($doc->{definitions}{buyers}{properties}{buyer_id}{description},
        "Note:\nThis is a Primary Key.<pk/>", 'the key of a view');
    is($doc->{definitions}{buyers}{properties}{home}{description}, "Note:\nThis is a Foreign "
        . "Key to `countries.code`.<fk table='countries' column='code'/>", 'a view refers, too');
};

subtest 'functions in version 2.0' => sub {
    my $paths = document($http->get('/api/'))->{paths};

    is($paths->{'/rpc/hello'}{get}{summary}, 'Greets', 'a summary');
    is($paths->{'/rpc/hello'}{get}{description}, 'Whoever it is.', 'a description');
    is_deeply($paths->{'/rpc/hello'}{get}{parameters}, [ { name => 'name', in => 'query',
        required => JSON::true, type => 'string', format => 'text' } ], 'an argument');
    is_deeply($paths->{'/rpc/join'}{get}{parameters}[0], { name => 'words', in => 'query',
        required => JSON::true, type => 'array', collectionFormat => 'multi',
        items => { type => 'string', format => 'text' } }, 'many arguments');
    is_deeply($paths->{'/rpc/takes_status'}{get}{parameters}[0]{format}, 'order_status',
        'a type of the schema itself');
    is_deeply([ map { "$_->{name}$_->{required}" } @{ $paths->{'/rpc/pick'}{get}{parameters} } ],
        [qw(a0 b0 c0)], 'overloads are one, with the arguments of all');
    ok(!$paths->{"/rpc/$_"}, "there is no $_: it is called by POST")
        for qw(write_number nap unnamed unnamed_two);
};

subtest 'version 3.1' => sub {
    my $answer = $http->get('/three');
    is($answer->{headers}{'content-type'}, 'application/openapi+json; charset=utf-8',
        'by a directive it is the default');

    my $doc = document($answer);
    valid($doc);
    is($doc->{openapi}, '3.1.0', 'its number');
    is_deeply($doc->{servers}, [ { url => 'https://shop.example:8443/v1' } ], 'the proxy');
    is_deeply($doc->{components}{securitySchemes}{JWT},
        { type => 'http', scheme => 'bearer', bearerFormat => 'JWT' }, 'security');

    my $schemas = $doc->{components}{schemas};
    is_deeply($schemas->{customers}{properties}{born},
        { type => [qw(string null)], format => 'date' }, 'a date, or null');
    is_deeply($schemas->{customers}{properties}{name}, { type => 'string' }, 'never null');
    is_deeply($schemas->{products}{properties}{colour}, {},
        'what has a representation of its own may be anything');
    is_deeply($schemas->{products}{properties}{size}, {}, 'a composite, too');
    is_deeply($doc->{paths}{'/rpc/all_products'}{get}{responses}{200}{content}
            {'application/json'}{schema},
        { type => 'array', items => { '$ref' => '#/components/schemas/products' } },
        'a function that returns rows of a table');
    is_deeply($doc->{paths}{'/rpc/add'}{get}{responses}{200}{content}
            {'application/json'}{schema},
        { type => [qw(integer null)], format => 'int32' }, 'one that returns a number');
    ok($doc->{paths}{'/rpc/nothing'}{get}{responses}{204}, 'one that returns nothing');
    is_deeply([ sort keys %{ $doc->{paths}{'/customers'} } ], [qw(get head parameters)],
        'what may be done');
};

subtest 'a proxy and security in version 2.0' => sub {
    my $doc = document($http->get('/two/'));

    is($doc->{host}, 'shop.example:443', 'the host');
    is($doc->{basePath}, '/', 'the path');
    is_deeply($doc->{schemes}, ['https'], 'the scheme');
    is_deeply($doc->{security}, [ { JWT => [] } ], 'security');
    is($doc->{securityDefinitions}{JWT}{name}, 'Authorization', 'is by a header');
};

subtest 'OpenID Connect' => sub {
    my $doc = document($http->get('/openid/', { Accept => 'application/vnd.oai.openapi+json' }));

    valid($doc);
    is_deeply($doc->{components}{securitySchemes}{JWT},
        { type => 'openIdConnect', openIdConnectUrl => 'https://id.example/openid' },
        'tells where tokens are to be had');
    is_deeply($doc->{security}, [ {}, { JWT => [] } ], 'and that they may be missing');
};

subtest 'what the role may read' => sub {
    my $doc = document($http->get('/api/'));
    ok(!$doc->{paths}{"/$_"}, "nobody may read $_") for qw(secrets messages);
    ok(!$doc->{definitions}{secrets}, 'of which there is no definition');
    is_deeply([ map { $_->{name} } @{ $doc->{paths}{'/rpc/for_clerks'}{get}{parameters} } ],
        ['a'], 'nor call one of two overloads');

    $doc = document($http->get('/api/', $customer));
    ok($doc->{paths}{'/messages'}, 'customers may read messages');
    ok($doc->{paths}{'/secrets'}, 'and a column of secrets');

    $doc = document($http->get('/api/', $clerk));
    valid($doc);
    ok($doc->{paths}{"/$_"}, "clerks may read $_") for qw(secrets messages);
    is_deeply([ map { $_->{name} } @{ $doc->{paths}{'/rpc/for_clerks'}{get}{parameters} } ],
        [qw(a b)], 'and call both overloads');

    for my $version ('application/json', 'application/vnd.oai.openapi+json') {
        $doc = document($http->get('/all/', { Accept => $version }));
        valid($doc);
        ok($doc->{paths}{"/$_"}, "privileges ignored: $_") for qw(secrets messages);
    }
};

subtest 'another schema' => sub {
    my $doc = document($http->get('/api/', { 'Accept-Profile' => 'other' }));
    valid($doc);
    is($doc->{info}{title}, 'other', 'without a comment, its name is the title');
    is_deeply([ sort keys %{ $doc->{paths} } ], [qw(/ /customers /rpc/whoami /tickets)],
        'has its own relations and functions');
    ok($doc->{definitions}{customers}{properties}{nickname}, 'whatever they are called');
    ok(!exists $doc->{definitions}{tickets}{properties}{customer_id}{description},
        'a key to another schema is no note');

    is($http->get('/api/', { 'Accept-Profile' => 'hidden' })->{status}, 406,
        'one that is not exposed');
};

subtest 'no document' => sub {
    my $answer = $http->get('/none/');
    is($answer->{status}, 404, 'it is disabled');
    is_deeply(document($answer), { code => 'PGRST126', details => undef, hint => undef,
        message => 'Root endpoint metadata is disabled' }, 'and the error says so');
    is($http->get('/none/countries')->{status}, 200, 'the rest is read');
};

subtest 'a function in its place' => sub {
    for my $accept ('application/openapi+json', 'application/json') {
        my $answer = $http->get('/own/', { Accept => $accept });
        is($answer->{status}, 200, $accept);
        is($answer->{headers}{'content-type'}, "$accept; charset=utf-8", 'the type');
        is_deeply(document($answer), { swagger => '2.0', made => 'by hand' },
            'what it returned');
    }
};

subtest 'the address that the client has used' => sub {
    my %hosts = (
        'shop.example'      => 'shop.example:80',
        'shop.example:8080' => 'shop.example:8080',
        '[::1]:81'          => '[::1]:81',
    );
    is(document($http->get('/api/', { Host => $_ }))->{host}, $hosts{$_}, $_)
        for sort keys %hosts;

    is(document($http->get('/api/?a=eq.b', { Host => 'x' }))->{basePath}, '/api',
        'arguments are no part of the path');

    my $old = Cqrs::Http->new($nginx->port);
    $old->send_bytes("GET /api/ HTTP/1.0\r\n\r\n");
    my $doc = document($old->read_answer);
    is($doc->{host}, '127.0.0.1:' . $nginx->port, 'without a name it is where we listen');
    is($doc->{basePath}, '/api', 'the path is there, too');
};

subtest 'what can be known is refused early' => sub {
    my %bad = (
        'cqrs_query_openapi maybe'             => qr/invalid value "maybe"/,
        'cqrs_query_openapi_version 3.0'       => qr/invalid value "3.0"/,
        'cqrs_query_openapi_proxy shop.example' => qr/invalid address "shop.example"/,
        'cqrs_query_openapi_proxy "http://a b/"' => qr/invalid address "http:\/\/a b\/"/,
        'cqrs_query_openapi_security perhaps'  => qr/invalid value "perhaps"/,
        'cqrs_query_openapi_security on; cqrs_query_openapi_security off'
            => qr/is duplicate/,
    );

    for my $line (sort keys %bad) {
        my $other = Cqrs::Nginx->new(http => <<"CONFIG");
cqrs_postgres "$conninfo";
server {
    listen 127.0.0.1:%PORT%;
    location /api/ { cqrs_query schema=shop; $line; }
}
CONFIG
        my ($status, $output) = $other->test_config;
        isnt($status, 0, $line);
        like($output, $bad{$line}, 'with a sentence');
    }
};

$nginx->stop;
done_testing;


sub document {
    my ($answer) = @_;

    return JSON->new->utf8->decode($answer->{body});
}

# What no schema would say: it refers to nothing that it lacks, its parameters
# differ, and there are none but reading methods.
sub valid {
    my ($doc) = @_;

    my @faults = refs($doc, $doc);

    for my $path (sort keys %{ $doc->{paths} }) {
        my $item = $doc->{paths}{$path};

        push @faults, "$path: begins with no slash" if $path !~ m{^/};
        push @faults, "$path: is a template" if $path =~ /[{}]/;

        for my $method (grep { $_ ne 'parameters' } sort keys %$item) {
            push @faults, "$path: $method" if $method !~ /^(?:get|head)\z/;
            push @faults, "$path: no responses" unless %{ $item->{$method}{responses} };

            my %seen;
            for my $parameter (@{ $item->{parameters} || [] },
                @{ $item->{$method}{parameters} || [] })
            {
                my $p = $parameter->{'$ref'} ? target($doc, $parameter->{'$ref'}) : $parameter;
                push @faults, "$path: twice $p->{in} $p->{name}" if $seen{ $p->{in} }{ $p->{name} }++;
            }
        }
    }

    my $schemas = $doc->{definitions} || $doc->{components}{schemas};
    for my $name (sort keys %$schemas) {
        push @faults, "$name: $_ is required and no property"
            for grep { !$schemas->{$name}{properties}{$_} } @{ $schemas->{$name}{required} || [] };
        push @faults, "$name: no key of a component"
            if $doc->{openapi} && $name !~ /^[a-zA-Z0-9._-]+\z/;
    }

    is_deeply(\@faults, [], 'nothing is wrong with the document');
}

sub refs {
    my ($doc, $value) = @_;

    return map { refs($doc, $_) } @$value if ref $value eq 'ARRAY';
    return unless ref $value eq 'HASH';

    return map {
        $_ ne '$ref' || ref $value->{$_} ? refs($doc, $value->{$_})
            : target($doc, $value->{$_}) ? () : "nothing is $value->{$_}"
    } sort keys %$value;
}

sub target {
    my ($doc, $ref) = @_;

    return if $ref !~ s{^#/}{} || $ref =~ m{[^A-Za-z0-9._~%/-]};

    for my $token (split m{/}, $ref) {
        $token =~ s/%([0-9A-F]{2})/chr hex $1/ge;
        utf8::decode($token);
        $token =~ s{~1}{/}g;
        $token =~ s/~0/~/g;
        $doc = $doc->{$token} or return;
    }

    return $doc;
}
