#!/usr/bin/perl

# What a location demands of tokens, where it finds them, what it remembers of
# them, and what logs show.

use strict;
use warnings;

use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

use Cqrs::Http;
use Cqrs::Jwt qw(allowed refused);
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Wait qw(wait_until);

my $secret = 'a secret of thirty-two bytes or more';
my $dir    = tempdir(CLEANUP => 1);

Cqrs::Paths::spew("$dir/$_", $secret) for qw(secret same);

my $handler = 'cqrs_rabbitmq amqp://127.0.0.1:1/; cqrs_partitions 1; cqrs_command x stream=x;';

my @claims = qw(realm_access__roles realm_access__roles__0 realm_access__roles__1
    realm_access__roles__7 address__zipcode address__zip__x https___example_com_role a__b deep__er__x
    text__length n__x list__x list__00);

my $nginx = Cqrs::Nginx->new(http => <<"END");
    limit_req_zone \$server_port zone=one:32k rate=1r/m;
    log_format     all '\$request|\$request_uri|\$args|\$arg_token|\$query_string';
    cqrs_jwt_cache 4;

    server {
        listen 127.0.0.1:%PORT%;
        access_log $dir/access.log all;

        cqrs_jwt_key  HS256 file:$dir/secret;
        add_header    X-Sub   \$cqrs_jwt_sub always;
        add_header    X-Cache \$cqrs_token_cache always;

        location /leeway/none { $handler cqrs_jwt_leeway 0; }
        location /leeway/long { $handler cqrs_jwt_leeway 1h; }
        location /audience    { $handler cqrs_jwt_audience bank https://bank.example; 
            location /audience/any { $handler cqrs_jwt_audience off; } }
        location /issuer      { $handler cqrs_jwt_issuer https://login.example other; }
        location /cache       { $handler }
        location /cache/late  { $handler cqrs_jwt_leeway 1h; }
        location /cache/other { $handler cqrs_jwt_key HS256 file:$dir/same; }
        location /protocol    { $handler cqrs_jwt_from subprotocol:bearer; }
        location /claims      { return 200 "@{[ join ' ', map { "<\$cqrs_jwt_$_>" } @claims ]}"; }

        location /argument          { $handler cqrs_jwt_from header argument:token argument:t2; }
        location /argument/off      { $handler cqrs_jwt_from argument:token; cqrs_jwt off; }
        location /argument/limited  { $handler cqrs_jwt_from argument:token; limit_req zone=one; }
        location /argument/denied   { $handler cqrs_jwt_from argument:token; deny all; error_page 403 = \@next; }
        location /argument/rewrite  { $handler cqrs_jwt_from argument:token; rewrite ^ /argument/again?x=\$arg_sub last; }
        location /argument/again    { $handler cqrs_jwt_from argument:token; }
        location \@next             { cqrs_jwt_from argument:token; return 200 "sub=\$cqrs_jwt_sub"; }
        location /foreign           { cqrs_jwt_from argument:token; return 200 "\$args"; }
    }
END
$nginx->start;

my $http = Cqrs::Http->new($nginx->port);

sub token { my ($claims, @rest) = @_; return Cqrs::Jwt::token($claims, key => $secret, @rest) }

sub ask {
    my ($path, $claims, @rest) = @_;

    return $http->get($path, { Authorization => 'Bearer ' . token($claims, @rest) });
}


subtest 'leeway' => sub {
    my $now = time;

    allowed(ask('/leeway/none', { exp => $now + 60 }), 'none: a good one');
    refused(ask('/leeway/none', { exp => $now - 1 }), 'expired', 'none: expired a second ago');
    refused(ask('/leeway/none', { nbf => $now + 20 }), 'not yet valid', 'none: nearly valid');
    allowed(ask('/leeway/long', { exp => $now - 3000, nbf => $now + 3000 }), 'an hour is longer');
    refused(ask('/leeway/long', { exp => $now - 3700 }), 'expired', 'and ends');
    refused(ask('/leeway/long', { nbf => $now + 3700 }), 'not yet valid', 'on both sides');
};


subtest 'audience and issuer' => sub {
    my $why = 'for another audience';

    allowed(ask('/audience', { aud => 'bank' }), 'a text');
    allowed(ask('/audience', { aud => [ 'x', 'https://bank.example' ] }), 'one of a list');
    refused(ask('/audience', { aud => $_ }), $why, 'not ' . JSON::PP->new->allow_nonref->encode($_))
        for 'Bank', 'bank ', '', ['x'], [], [ ['bank'] ], { bank => 1 }, 1, JSON::PP::null;
    refused(ask('/audience', {}), $why, 'none');
    allowed(ask('/audience/any', { aud => 'x' }), 'off: any');

    $why = 'issuer is not accepted';
    allowed(ask('/issuer', { iss => $_ }), "iss $_") for 'https://login.example', 'other';
    refused(ask('/issuer', { iss => $_ }), $why, 'not ' . JSON::PP->new->allow_nonref->encode($_))
        for 'https://login.example/', 'https://login.exampl', 1;
    refused(ask('/issuer', {}), $why, 'none');
};


subtest 'verified tokens are remembered' => sub {
    my $cached = sub {
        my ($path, $claims, @rest) = @_;
        return ask($path, $claims, @rest)->{headers}{'x-cache'};
    };
    my $exp = time - 100;

    is($cached->('/cache', { sub => 'a' }), 'MISS', 'the first time it is checked');
    is($cached->('/cache', { sub => 'a' }), 'HIT', 'the second time it is known');
    is(ask('/cache', { sub => 'a' })->{headers}{'x-sub'}, 'a', 'with its claims');
    is($cached->('/cache/other', { sub => 'a' }), 'MISS', 'not where other keys count');
    is($cached->('/audience', { sub => 'a' }), 'HIT', 'by the same keys in another location');
    refused(ask('/audience', { sub => 'a' }), 'for another audience', 'whose own rules count');
    is($cached->('/cache', { sub => 'a' }, key => 'x' x 32), 'MISS', 'a bad one is checked');
    is($cached->('/cache', { sub => 'a' }, key => 'x' x 32), 'MISS', 'each time');
    is($cached->('/cache/late', { exp => $exp }), 'MISS', 'one that is good here');
    is($cached->('/cache/late', { exp => $exp }), 'HIT', 'and known');
    refused(ask('/cache', { exp => $exp }), 'expired', 'is refused where it is expired');

    $cached->('/cache', { sub => 'first' });
    $cached->('/cache', { n => $_ }), $cached->('/cache', { sub => 'first' }) for 1 .. 4;
    is($cached->('/cache', { sub => 'first' }), 'HIT', 'what is used stays');
    is($cached->('/cache', { n => 4 }), 'HIT', 'so does what is new');
    is($cached->('/cache', { n => 1 }), 'MISS', 'what is neither leaves');
    ok(!exists $http->get('/cache')->{headers}{'x-cache'}, 'no token: nothing to say');
};


subtest 'claims by path' => sub {
    my $answer = ask('/claims', {
        realm_access => { roles => [ 'admin', 'user' ] },
        address      => { zipCode => '1234' },
        'https://example.com/role' => 'teller',
        'a__b'  => 'whole',
        a       => { b => 'path' },
        deep    => { er => { x => 1 } },
        text    => 'abc', n => 1, list => [1],
    });
    my @found = $answer->{body} =~ /<(.*?)>/g;
    my %found;
    @found{@claims} = @found;

    is($found{realm_access__roles}, '["admin","user"]', 'a member of an object');
    is($found{realm_access__roles__0}, 'admin', 'an element of a list');
    is($found{realm_access__roles__1}, 'user', 'another one');
    is($found{address__zipcode}, '1234', 'in another case');
    is($found{https___example_com_role}, 'teller', 'a name that no variable can have');
    is($found{a__b}, 'whole', 'a claim of the whole name counts more');
    is($found{deep__er__x}, '1', 'deeper');
    is($found{$_}, '', "nothing: $_")
        for qw(realm_access__roles__7 address__zip__x text__length n__x list__x);
};


subtest 'a subprotocol' => sub {
    my $good = token({ sub => 'alice' });
    my $offer = sub { return $http->get('/protocol', { 'Sec-WebSocket-Protocol' => $_[0] }) };

    is(allowed($offer->("bearer, $good"), 'the one after the name')->{headers}{'x-sub'}, 'alice',
        'is the token');
    refused($offer->("bearer, chat, $good"), 'malformed', 'what follows is the token');
    is($offer->($_)->{status}, 401, "none: $_") for 'bearer', "Bearer, $good", $good;
    is(ask('/protocol', {})->{status}, 401, 'no header where it is not named');
};


subtest 'a token in an argument is in no log' => sub {
    my $good  = token({ sub => 'alice' });
    my $other = token({ sub => 'bob' });

    is(allowed($http->get("/argument?a=1&token=$good&b=2"), 'an argument')->{headers}{'x-sub'},
        'alice', 'is believed');
    is(allowed($http->get("/argument?T2=$good"), 'another place, in another case')
        ->{headers}{'x-sub'}, 'alice', 'is believed');
    allowed($http->get("/argument?token=$good&token=$other"), 'two of them');
    is($http->get("/argument?token=$other", { Authorization => "Bearer $good" })->{headers}{'x-sub'},
        'alice', 'the header came first');
    allowed($http->get("/argument/off?token=$good"), 'where tokens are not looked at');
    refused($http->get("/argument?token=x$good"), 'header is not', 'a bad one');
    is($http->get("/argument/limited?token=$good")->{status}, 405, 'before the limit');
    is($http->get("/argument/limited?token=$good")->{status}, 503, 'beyond it');
    is($http->get("/argument/denied?token=$good")->{body}, 'sub=alice',
        'after an internal redirect it is known');
    is(allowed($http->get("/argument/rewrite?sub=1&token=$good"), 'after a rewrite too')
        ->{headers}{'x-sub'}, 'alice', 'and believed');
    is($http->get('/argument?token=')->{status}, 401, 'an empty one is none');
    is($http->get('/argument?token=***')->{status}, 401, 'nor are stars a token');

    like($nginx->log, qr/limiting requests.*request: "GET \/argument\/limited\?token=\*+ HTTP/,
        'nginx logs stars');
    like($nginx->log, qr/access forbidden by rule.*denied\?token=\*+ /, 'here, too');
    unlike($nginx->log, qr/\Q$_\E/, 'no error log has the token') for $good, $other;

    # a line is written after its answer
    my @lines;
    wait_until {
        @lines = grep { m{^GET /argument} } split /\n/, Cqrs::Paths::slurp("$dir/access.log");
        @lines == 12;
    } 10, 'the access log';
    my @hidden = grep { m{^GET /argument\S*\?\S*=\*+(?:&b=2|&token=\*+)? HTTP} } @lines;
    is(scalar @hidden, 11, 'the access log has stars');
    is(scalar(grep { /\Q$good\E|\Q$other\E/ } @lines), 0, 'in each of its variables');
    like($lines[0], qr{^GET /argument\?a=1&token=\*+&b=2 HTTP/1.1\|/argument\?a=1&token=(\*+)&b=2\|a=1&token=\1&b=2\|\1\|a=1},
        'and all else');

    is($http->get("/foreign?token=$good")->{body}, "token=$good", 'other handlers get what was sent');
};

$nginx->stop;


subtest 'what nginx -t refuses' => sub {
    my $test = sub {
        my ($text, $why) = @_;

        my ($status, $output) = Cqrs::Nginx->new(http => $text)->test_config;
        isnt($status, 0, "refused: $text");
        like($output, qr/$why/, "... $why");
    };

    $test->('cqrs_jwt_leeway soon;', 'invalid value');
    $test->('cqrs_jwt_audience "";', 'empty value');
    $test->('cqrs_jwt_issuer a; cqrs_jwt_issuer b;', 'is duplicate');
    $test->("cqrs_jwt_cache $_; server { listen 127.0.0.1:%PORT%; }", 'value must be|invalid number')
        for '-1', 'x', '1000001';
    $test->("cqrs_jwt_from $_;", 'invalid place') for 'subprotocol:', '"subprotocol:a b"', 'subprotocol:a,b';
};

done_testing;
