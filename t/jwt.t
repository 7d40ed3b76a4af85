#!/usr/bin/perl

# Who may send a request: tokens, good and bad.

use strict;
use warnings;

use File::Temp qw(tempdir);
use JSON::PP;
use MIME::Base64 qw(encode_base64url decode_base64url);
use Test::More;

use Cqrs::Http;
use Cqrs::Jwt qw(allowed refused);
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Wait qw(wait_until);

my $secret = '0123456789abcdef0123456789abcdef';
my $newer  = 'another secret of thirty-two bytes, or more';
my $dir    = tempdir(CLEANUP => 1);

sub openssl {
    system('sh', '-c', 'cd "$1"; shift; exec openssl "$@" 2>/dev/null', 'sh', $dir, @_) == 0
        or die "openssl @_";
}

Cqrs::Paths::spew("$dir/secret", "$secret\n");
Cqrs::Paths::spew("$dir/newer",  "$newer\r\n");
Cqrs::Paths::spew("$dir/exact",  $secret);
Cqrs::Paths::spew("$dir/short",  substr($secret, 1) . "\n");
openssl(qw(genpkey -algorithm RSA -pkeyopt), "rsa_keygen_bits:$_", '-out', "rsa$_") for 2048, 1024;
openssl(qw(genpkey -algorithm EC -pkeyopt), "ec_paramgen_curve:$_", '-out', $_)
    for qw(P-256 P-384 P-521 secp256k1);
openssl(qw(genpkey -algorithm), $_, '-out', $_) for qw(ED25519 ED448);
openssl('pkey', '-in', $_, '-pubout', '-out', "$_.pub")
    for qw(rsa2048 rsa1024 P-256 P-384 P-521 secp256k1 ED25519 ED448);

my $handler = 'cqrs_rabbitmq amqp://127.0.0.1:1/; cqrs_partitions 1; cqrs_command x stream=x;';

my $nginx = Cqrs::Nginx->new(http => <<"END");
    server {
        listen 127.0.0.1:%PORT%;
        large_client_header_buffers 4 32k;

        cqrs_jwt_key  HS256 file:$dir/secret;
        cqrs_jwt_key  HS256 file:$dir/newer;
        add_header    X-Sub  \$cqrs_jwt_sub always;
        add_header    X-Role \$cqrs_jwt_role always;
        add_header    X-Deep \$cqrs_jwt_deep always;
        set           \$early \$cqrs_jwt_sub;

        location /         { $handler }
        location /optional { $handler cqrs_jwt optional; }
        location /off      { $handler cqrs_jwt off; }
        location /cookie   { $handler cqrs_jwt_from cookie:auth header; }
        location /argument { $handler cqrs_jwt_from argument:token; access_log $dir/access.log; }
        location /exact    { $handler cqrs_jwt_key HS256 file:$dir/exact; }
        location /hs384    { $handler cqrs_jwt_key HS384 file:$dir/secret; }
        location /hs512    { $handler cqrs_jwt_key HS512 file:$dir/secret; }
        location /rs256    { $handler cqrs_jwt_key RS256 file:$dir/rsa2048.pub; }
        location /rs512    { $handler cqrs_jwt_key RS512 file:$dir/rsa2048.pub; }
        location /es256    { $handler cqrs_jwt_key ES256 file:$dir/P-256.pub; }
        location /es384    { $handler cqrs_jwt_key ES384 file:$dir/P-384.pub; }
        location /es512    { $handler cqrs_jwt_key ES512 file:$dir/P-521.pub; }
        location /ps256    { $handler cqrs_jwt_key PS256 file:$dir/rsa2048.pub; }
        location /ps384    { $handler cqrs_jwt_key PS384 file:$dir/rsa2048.pub; }
        location /ps512    { $handler cqrs_jwt_key PS512 file:$dir/rsa2048.pub; }
        location /eddsa    { $handler cqrs_jwt_key EdDSA file:$dir/ED25519.pub; }
        location /ed25519  { $handler cqrs_jwt_key Ed25519 file:$dir/ED25519.pub; }
        location /env      { $handler cqrs_jwt_key HS256 env:T_JWT_KEY; }
        location /variable { return 200 "\$cqrs_jwt_sub,\$cqrs_jwt_userid,\$cqrs_jwt_n,\$cqrs_jwt_r,\$cqrs_jwt_yes,\$cqrs_jwt_list,\$cqrs_jwt_none,\$cqrs_jwt_null"; }
        location /if       { if (\$cqrs_jwt_role = teller) { return 204; } return 403; }
    }

    server {
        listen 127.0.0.1:%PORT2%;
        location / { $handler add_header X-Sub "-\$cqrs_jwt_sub-" always; }
    }
END
$ENV{T_JWT_KEY} = $secret;
$nginx->start;

my $http = Cqrs::Http->new($nginx->port);

sub token { my ($claims, @rest) = @_; return Cqrs::Jwt::token($claims, key => $secret, @rest) }

sub bearer {
    my ($token, $path) = @_;
    return $http->get($path // '/', { Authorization => "Bearer $token" });
}


subtest 'no token' => sub {
    for my $headers ({}, { Authorization => 'Basic YTpi' }, { Authorization => 'Bearer' },
        { Authorization => 'Bearer ' }, { Cookie => 'auth=' . token({}) })
    {
        my $answer = $http->get('/', $headers);
        is($answer->{status}, 401, 'refused: ' . JSON::PP->new->encode($headers));
        is($answer->{headers}{'www-authenticate'}, 'Bearer', 'challenged');
        like($answer->{body}, qr/problem:no-token"/, 'a problem says so');
    }
};


subtest 'good tokens' => sub {
    my $answer = allowed(bearer(token({ sub => 'alice', role => 'teller' })), 'HS256');
    is($answer->{headers}{'x-sub'}, 'alice', '$cqrs_jwt_sub');
    is($answer->{headers}{'x-role'}, 'teller', '$cqrs_jwt_role');
    ok(!exists $answer->{headers}{'x-deep'}, 'no such claim: an empty variable');

    allowed($http->get('/', { Authorization => 'bEARER   ' . token({}) }), 'Bearer in any case');
    allowed(bearer(token({}, key => $newer)), 'the second key');
    allowed(bearer(token({}), '/exact'), 'a key without an end of line');
    allowed(bearer(token({}), '/env'), 'a key from the environment');
    allowed(bearer(token({}, alg => 'HS384'), '/hs384'), 'HS384');
    allowed(bearer(token({}, alg => 'HS512'), '/hs512'), 'HS512');
    allowed(bearer(token({}, alg => 'RS256', key => "$dir/rsa2048"), '/rs256'), 'RS256');
    allowed(bearer(token({}, alg => 'RS512', key => "$dir/rsa2048"), '/rs512'), 'RS512');
    allowed(bearer(token({}, alg => 'ES256', key => "$dir/P-256"), '/es256'), 'ES256') for 1 .. 3;
    allowed(bearer(token({}, alg => 'ES384', key => "$dir/P-384"), '/es384'), 'ES384') for 1 .. 3;
    allowed(bearer(token({}, alg => 'ES512', key => "$dir/P-521"), '/es512'), 'ES512') for 1 .. 3;
    allowed(bearer(token({}, alg => "PS$_", key => "$dir/rsa2048"), "/ps$_"), "PS$_") for 256, 384, 512;
    allowed(bearer(token({}, alg => $_, key => "$dir/ED25519"), '/' . lc), $_) for qw(EdDSA Ed25519);
};


subtest 'time' => sub {
    my $now = time;

    allowed(bearer(token({ exp => $now + 60, nbf => $now - 60 })), 'now is between');
    allowed(bearer(token({ exp => $now - 20 })), 'just expired: clocks differ');
    allowed(bearer(token({ nbf => $now + 20 })), 'nearly valid');
    allowed(bearer(token(qq({"exp":${\ ($now + 60)}.5}))), 'a fraction');
    allowed(bearer(token('{"exp":1e300}')), 'the end of all days');
    refused(bearer(token({ exp => $now - 40 })), 'expired', 'expired');
    refused(bearer(token({ exp => 0 })), 'expired', 'expired in 1970');
    refused(bearer(token({ exp => -1 })), 'expired', 'expired before');
    refused(bearer(token({ nbf => $now + 40 })), 'not yet valid', 'not yet valid');
    refused(bearer(token({ exp => '9999999999' })), 'not a number', 'exp is a text');
    refused(bearer(token('{"exp":null}')), 'not a number', 'exp is null');
    refused(bearer(token('{"nbf":true}')), 'not a number', 'nbf is true');
};


subtest 'algorithms' => sub {
    my $why = 'algorithm is not accepted';

    refused(bearer(token({}, alg => 'HS512')), $why, 'HS512 where HS256 is said');
    refused(bearer(token({}, header => { alg => 'hs256' })), $why, 'hs256');
    refused(bearer(token({}, header => { alg => 'HS256 ' })), $why, 'HS256 and a blank');
    refused(bearer(token({}, header => { alg => undef })), $why, 'null');
    refused(bearer(token({}, header => { alg => 1 })), $why, 'a number');
    refused(bearer(token({}, header => { alg => ['HS256'] })), $why, 'a list');

    # A token that says none is one without a signature.
    for my $none ('none', 'None', 'NONE') {
        my $unsigned = encode_base64url(qq({"alg":"$none"})) . '.' . encode_base64url('{"sub":"x"}');
        for my $path ('/', '/rs256', '/es256', '/optional') {
            refused(bearer("$unsigned.", $path), 'malformed', "$none at $path");
            refused(bearer("$unsigned.eA", $path), $why, "$none and a signature at $path");
        }
    }

    # The public key is known to all, it must not do as a secret.
    for (qw(256 384 512)) {
        my $pem = Cqrs::Paths::slurp("$dir/rsa2048.pub");
        refused(bearer(token({}, alg => "HS$_", key => $pem), '/rs256'), $why,
            "HS$_ with the public key for RS256");
        refused(bearer(token({}, alg => 'RS256', sign => "HS$_", key => $pem), '/rs256'),
            'signature is not accepted', "the same that says RS256");
        my $ec = Cqrs::Paths::slurp("$dir/P-256.pub");
        refused(bearer(token({}, alg => "HS$_", key => $ec), '/es256'), $why,
            "HS$_ with the public key for ES256");
        refused(bearer(token({}, alg => 'PS256', sign => "HS$_", key => $pem), '/ps256'),
            'signature is not accepted', "HS$_ with the public key for PS256, which it says");
        my $ed = Cqrs::Paths::slurp("$dir/ED25519.pub");
        refused(bearer(token({}, alg => "HS$_", key => $ed), '/eddsa'), $why,
            "HS$_ with the public key for EdDSA");
        refused(bearer(token({}, alg => 'EdDSA', sign => "HS$_", key => $ed), '/eddsa'),
            'signature is not accepted', 'the same that says EdDSA');
    }
    my %rsa = (key => "$dir/rsa2048");
    refused(bearer(token({}, alg => 'RS256', %rsa), '/ps256'), $why, 'RS256 for PS256');
    refused(bearer(token({}, alg => 'PS256', %rsa), '/rs256'), $why, 'PS256 for RS256');
    refused(bearer(token({}, alg => 'PS384', %rsa), '/ps256'), $why, 'PS384 for PS256');
    refused(bearer(token({}, alg => 'PS256', sign => $_, %rsa), '/ps256'), 'signature is not accepted',
        "PS256 that is $_") for qw(RS256 PS384);
    refused(bearer(token({}, alg => 'RS256', sign => 'PS256', %rsa), '/rs256'),
        'signature is not accepted', 'RS256 that is PS256');
    refused(bearer(token({}, alg => 'PS256', salt => $_, %rsa), '/ps256'), 'signature is not accepted',
        "PS256 with a salt of $_") for 0, 20, 'max';
    refused(bearer(token({}, alg => 'Ed25519', key => "$dir/ED25519"), '/eddsa'), $why,
        'Ed25519 for EdDSA');
    refused(bearer(token({}, alg => 'RS512', key => "$dir/rsa2048"), '/rs256'), $why,
        'RS512 for RS256');
    refused(bearer(token({}, alg => 'RS256', sign => 'HS256'), '/'), $why, 'RS256 for HS256');
    refused(bearer(token({}, alg => 'ES384', key => "$dir/P-256"), '/es256'), $why,
        'ES384 for ES256');
};


subtest 'signatures' => sub {
    my $why  = 'signature is not accepted';
    my $good = token({ sub => 'alice' });

    refused(bearer(token({}, key => 'x' x 32)), $why, 'by another key');
    refused(bearer(token({}, key => "$secret\n")), $why, 'by the key and its end of line');
    refused(bearer(token({}, alg => 'ES256', key => "$dir/secp256k1"), '/es256'), $why,
        'on another curve');

    openssl(qw(genpkey -algorithm ED25519 -out other-ed));
    openssl(qw(genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out other-rsa));
    refused(bearer(token({}, alg => 'EdDSA', key => "$dir/other-ed"), '/eddsa'), $why, 'another EdDSA key');
    refused(bearer(token({}, alg => 'PS256', key => "$dir/other-rsa"), '/ps256'), $why, 'another PS256 key');
    for ([ '/eddsa', 'EdDSA', 'ED25519' ], [ '/ps256', 'PS256', 'rsa2048' ]) {
        my ($path, $alg, $key) = @$_;
        my ($head, $body, $signature) = split /\./, token({}, alg => $alg, key => "$dir/$key");
        refused(bearer("$head.$body.$_", $path), $why, "$alg: not a signature") for 'eA', 'A', 'A' x 6000;
        refused(bearer("$head.$body.${signature}AAAA", $path), $why, "$alg: a longer one");
        refused(bearer("$head.$body." . substr($signature, 4), $path), $why, "$alg: a shorter one");
        refused(bearer("$head." . encode_base64url('{"a":1}') . ".$signature", $path), $why,
            "$alg: other claims");
    }

    my ($head, $body, $signature) = split /\./, $good;
    my $other = encode_base64url('{"sub":"bob"}');
    refused(bearer("$head.$other.$signature"), $why, 'other claims');
    refused(bearer(encode_base64url('{"alg":"HS256"}') . ".$body.$signature"), $why, 'another head');
    refused(bearer("$head.$body." . substr($signature, 0, -1)), $why, 'one character less');
    refused(bearer("$head.$body.${signature}A"), $why, 'one character more');
    for my $i (0, 20, 42) {
        my $bad = $signature;
        substr($bad, $i, 1) =~ tr/A-Za-z0-9_-/B-ZAb-za1-90A_/;
        refused(bearer("$head.$body.$bad"), $why, "character $i is another one");
    }
};


subtest 'shapes' => sub {
    my $good = token({});

    refused(bearer($_), 'malformed', "malformed: $_") for 'a', 'a.b', '..', '.a.b', 'a..b', 'a.b.',
        'a.b.c.d', "$good.", ".$good", "$good=", 'a.b.c%00', 'a b.c.d', '&.b.c', "\xff.b.c",
        'e30.e30.+/';
    refused(bearer($_), 'header is not a JSON object', "not JSON: $_") for 'a.b.c', 'AA.AA.AA',
        encode_base64url('[]') . '.e30.eA', encode_base64url('{"alg":"HS256"') . '.e30.eA',
        encode_base64url('"HS256"') . '.e30.eA',
        encode_base64url('{"alg":"none","alg":"HS256"}') . '.e30.eA';
    refused(bearer('e30.e30.e30'), 'algorithm is not accepted', 'no algorithm');

    my $sign = sub {
        my ($body, %header) = @_;
        return Cqrs::Jwt::token($body, key => $secret, header => \%header);
    };
    refused(bearer($sign->('[1]')), 'not a JSON object', 'claims in a list');
    refused(bearer($sign->('{"sub":"a"')), 'not a JSON object', 'claims cut off');
    refused(bearer($sign->(qq({"sub":"a\\u0000b"}))), 'not a JSON object', 'a NUL in a claim');
    refused(bearer($sign->('{"sub":"a","sub":"b"}')), 'not a JSON object', 'a claim twice');
    refused(bearer($sign->('{}', crit => ['exp'])), 'an extension', 'crit');

    my @long = map { token({ x => 'y' x $_ }) } 6000 .. 6120;
    my ($fits) = grep { length($_) > 8188 && length($_) <= 8192 } @long;
    my ($over) = grep { length($_) > 8192 } @long;
    allowed(bearer($fits), 'a token of ' . length($fits) . ' bytes');
    refused(bearer($over), 'too long', 'one of ' . length($over));
    refused(bearer('a' x 20000), 'too long', 'one of 20,000');
};


subtest 'places' => sub {
    my $good = token({ sub => 'alice' });
    my $bad  = token({ sub => 'alice' }, key => 'x' x 32);

    allowed($http->get('/cookie', { Cookie => "a=b; auth=$good; c=d" }), 'a cookie');
    allowed(bearer($good, '/cookie'), 'the header where the cookie comes first');
    is($http->get('/cookie', { Cookie => "notauth=$good" })->{status}, 401, 'another cookie');
    is($http->get('/cookie', { Cookie => 'auth=' })->{status}, 401, 'an empty cookie');
    refused($http->get('/cookie', { Cookie => "auth=$bad", Authorization => "Bearer $good" }),
        'not accepted', 'the first that is there counts');
    allowed($http->get("/argument?a=b&token=$good"), 'an argument');
    is(bearer($good, '/argument')->{status}, 401, 'no header where it is not named');
    is($http->get("/?token=$good")->{status}, 401, 'no argument either');
    refused($http->get("/argument?token=$bad"), 'not accepted', 'a bad argument');

    is($http->request('POST', "/argument?token=$good&a=b",
            { 'Content-Type' => 'application/json' }, '{}')->{status},
        503, 'an argument, and an error');
    unlike($nginx->log, qr/\Q$good\E/, 'the error log does not show it');
    my @lines;                           # a line may be written after its answer
    wait_until {
        open my $log, '<', "$dir/access.log" or die "access.log: $!";
        @lines = <$log>;
        return 3 <= grep { /token=\*+/ } @lines;
    } 5, 'the access log';
    is(scalar(grep { /token=\*+/ } @lines), 3, 'the access log has stars for it');
    is(scalar(grep { /\Q$good\E|\Q$bad\E/ } @lines), 0, 'in every line');
    unlike($nginx->log, qr/\Q$bad\E/, 'a token is not in the error log');
};


subtest 'optional, and off' => sub {
    my $answer = allowed($http->get('/optional'), 'optional, and there is none');
    ok(!exists $answer->{headers}{'x-sub'}, 'then there are no claims');
    is(allowed(bearer(token({ sub => 'a' }), '/optional'), 'optional, and there is one')
        ->{headers}{'x-sub'}, 'a', 'then there are');
    refused(bearer(token({}, key => 'x' x 32), '/optional'), 'not accepted', 'a bad one is bad');

    $answer = allowed(bearer(token({ sub => 'a' }, key => 'x' x 32), '/off'), 'off');
    ok(!exists $answer->{headers}{'x-sub'}, 'nothing is believed');

    my $plain = Cqrs::Http->new($nginx->port(2));
    $answer = $plain->get('/', { Authorization => 'Bearer ' . token({ sub => 'a' }) });
    is($answer->{headers}{'x-sub'}, '--', 'without a key nothing is believed either');
    is($answer->{status}, 405, 'and nothing required');
};


subtest 'a token is checked by the rules of the location' => sub {
    # The server has looked at it before the location was known.
    refused(bearer(token({ sub => 'a' }, key => $newer), '/exact'), 'not accepted',
        'good for the server, not for the location');
    refused(bearer(token({ sub => 'a' }), '/rs256'), 'not accepted', 'the same for RS256');
    allowed(bearer(token({}, alg => 'RS256', key => "$dir/rsa2048"), '/rs256'),
        'good for the location, not for the server');
};


subtest 'claims as variables' => sub {
    my $answer = bearer(token({
        sub  => "J\x{f6}rg", userId => 'u1', n => 42, r => 1.5, yes => JSON::PP::true,
        list => [ 1, 'a' ], null => undef,
    }), '/variable');
    is($answer->{body}, "J\xc3\xb6rg,u1,42,1.5,true,[1,\"a\"],,", 'of each type');
    is($http->get('/variable')->{body}, ',,,,,,,', 'without a token all are empty');
    is(bearer(token({ sub => 'a' }, key => 'x' x 32), '/variable')->{body}, ',,,,,,,',
        'with a bad one, too');
    is(bearer(token({ userId => 'a', userid => 'b' }), '/variable')->{body}, ',b,,,,,,',
        'the same case counts more');
    is(bearer(token({ role => 'teller' }), '/if')->{status}, 204, 'in an if');
    is(bearer(token({ role => 'x' }), '/if')->{status}, 403, 'in an if that is false');
};


subtest 'a body that nobody reads is not taken for a request' => sub {
    my $answer = $http->request('POST', '/', {}, "GET /off HTTP/1.1\r\nHost: x\r\n\r\n");
    is($answer->{status}, 401, 'refused');
    is($http->get('/off')->{status}, 405, 'the next answer is that of the next request');
};

$nginx->stop;


subtest 'what nginx -t refuses' => sub {
    my $test = sub {
        my ($text, $why) = @_;

        my ($status, $output) = Cqrs::Nginx->new(http => $text)->test_config;
        isnt($status, 0, "refused: $text");
        like($output, qr/$why/, "... $why");
        unlike($output, qr/\Q$secret\E/, '... without the key');
    };

    $test->("cqrs_jwt_key HS256 file:$dir/short;", 'the HS256 key has 31 bytes, it needs at least 32');
    $test->("cqrs_jwt_key HS257 file:$dir/secret;", 'unknown algorithm "HS257"');
    $test->("cqrs_jwt_key none file:$dir/secret;", 'unknown algorithm "none"');
    $test->("cqrs_jwt_key HS256 file:$dir/nothing;", 'could not be opened');
    $test->("cqrs_jwt_key HS256 file:$dir;", 'could not be read');
    $test->('cqrs_jwt_key HS256 file:;', 'names no file');
    $test->("cqrs_jwt_key HS256 file:/dev/zero;", 'too large');
    $test->('cqrs_jwt_key HS256 env:T_JWT_NOTHING;', 'environment variable "T_JWT_NOTHING" .* not set');
    $test->("cqrs_jwt_key HS256 $secret;", 'a key is named by "file:PATH" or "env:NAME"');
    $test->("cqrs_jwt_key RS256 file:$dir/secret;", 'must be a public RSA key in PEM');
    $test->("cqrs_jwt_key RS256 file:$dir/rsa2048;", 'must be a public RSA key in PEM');
    $test->("cqrs_jwt_key RS256 file:$dir/rsa1024.pub;", 'of 2048 bits or more');
    $test->("cqrs_jwt_key RS256 file:$dir/P-256.pub;", 'must be a public RSA key');
    $test->("cqrs_jwt_key ES256 file:$dir/rsa2048.pub;", 'on the curve prime256v1');
    $test->("cqrs_jwt_key ES256 file:$dir/P-384.pub;", 'on the curve prime256v1');
    $test->("cqrs_jwt_key ES256 file:$dir/secp256k1.pub;", 'on the curve prime256v1');
    $test->("cqrs_jwt_key ES512 file:$dir/P-256.pub;", 'on the curve secp521r1');
    $test->("cqrs_jwt_key PS256 file:$dir/rsa1024.pub;", 'of 2048 bits or more');
    $test->("cqrs_jwt_key PS256 file:$dir/ED25519.pub;", 'the PS256 key must be a public RSA key');
    $test->("cqrs_jwt_key EdDSA file:$dir/$_;", 'the EdDSA key must be a public key in PEM on the curve Ed25519')
        for qw(rsa2048.pub P-256.pub ED448.pub ED25519 secret);
    $test->('cqrs_jwt maybe;', 'invalid value "maybe"');
    $test->('cqrs_jwt_from body;', 'invalid place "body"');
    $test->('cqrs_jwt_from cookie:;', 'invalid place "cookie:"');
    $test->('cqrs_jwt_from header; cqrs_jwt_from header;', 'is duplicate');
    $test->("location / { $handler cqrs_jwt required; }", 'no "cqrs_jwt_key" says how to check');
    $test->("location / { $handler cqrs_jwt optional; }", 'no "cqrs_jwt_key" says how to check');
};

done_testing;
