#!/usr/bin/perl

# The keys that tokens are checked with: chosen by kid, from JWK Sets, and new
# ones by a reload.

use strict;
use warnings;

use File::Temp qw(tempdir);
use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use Test::More;

use Cqrs::Http;
use Cqrs::Jwt qw(allowed refused);
use Cqrs::Nginx;
use Cqrs::Paths;

my %secret = map { $_ => "the secret $_ has thirty-two bytes, and more" } qw(a b c env);
my $dir = tempdir(CLEANUP => 1);

sub openssl {
    open my $out, '-|', 'sh', '-c', 'cd "$1"; shift; exec openssl "$@" 2>/dev/null', 'sh', $dir, @_
        or die "openssl: $!";
    binmode $out;
    local $/;
    my $bytes = <$out>;
    close $out or die "openssl @_";

    return $bytes;
}

# What a JWK has is the end of a public key in DER: x and y, or the modulus and,
# in 5 bytes, the exponent.
sub public {
    my ($name, $size) = @_;

    return substr openssl('pkey', '-in', $name, '-pubout', '-outform', 'DER'), -$size;
}

sub ec {
    my ($curve, $size) = @_;

    openssl(qw(genpkey -algorithm EC -pkeyopt), "ec_paramgen_curve:$curve", '-out', $curve);
    my $point = public($curve, 2 * $size);

    return (
        kty => 'EC',
        crv => $curve,
        x   => encode_base64url(substr $point, 0, $size),
        y   => encode_base64url(substr $point, $size),
    );
}

sub rsa {
    my ($bits) = @_;

    openssl(qw(genpkey -algorithm RSA -pkeyopt), "rsa_keygen_bits:$bits", '-out', "rsa$bits");
    my $modulus = substr public("rsa$bits", $bits / 8 + 5), 0, $bits / 8;

    return (kty => 'RSA', n => encode_base64url($modulus), e => 'AQAB');
}

sub secret { my ($name) = @_; return (kty => 'oct', k => encode_base64url($secret{$name})) }

my %rsa = rsa(2048);
my %weak = rsa(1024);
my %ec  = map { $_->[0] => { ec(@$_) } } [ 'P-256', 32 ], [ 'P-384', 48 ], [ 'P-521', 66 ];
openssl(qw(genpkey -algorithm ED25519 -out ed));
my %ed = (kty => 'OKP', crv => 'Ed25519', x => encode_base64url(public('ed', 32)));
my %okp = (kty => 'OKP', crv => 'X25519', x => encode_base64url('x' x 32));

sub write_set {
    my ($name, @keys) = @_;

    Cqrs::Paths::spew("$dir/$name", JSON::PP->new->canonical->encode({ keys => \@keys }));
}

Cqrs::Paths::spew("$dir/$_", $secret{$_}) for qw(a b c);
write_set('set',
    { %rsa, kid => 'r', use => 'sig' },
    { %rsa, kid => 'r512', alg => 'RS512', key_ops => ['verify'] },
    (map { { %{ $ec{$_} }, kid => $_ } } sort keys %ec),
    { secret('a'), kid => 'o' },
    { %rsa, kid => 'enc', use => 'enc' },
    { %rsa, kid => 'wrap', key_ops => ['wrapKey'] },
    { %rsa, kid => 'k1', alg => 'ES256K' },
    { %okp, kid => 'x' },
    { %rsa, kid => 'ps', alg => 'PS256' },
    { %ed, kid => 'ed' },
    { %ed, kid => 'ed25519', alg => 'Ed25519' },
);
write_set('turned', { secret('a'), kid => '1' }, { secret('b'), kid => '2' });

my $handler = 'cqrs_rabbitmq amqp://127.0.0.1:1/; cqrs_partitions 1; cqrs_command x stream=x;';

my $nginx = Cqrs::Nginx->new(http => <<"END");
    server {
        listen 127.0.0.1:%PORT%;

        location /kid    { $handler cqrs_jwt_key HS256 file:$dir/a kid=A;
                                    cqrs_jwt_key HS256 file:$dir/b kid=B; }
        location /any    { $handler cqrs_jwt_key HS256 file:$dir/a kid=A;
                                    cqrs_jwt_key HS256 file:$dir/b; }
        location /set    { $handler cqrs_jwt_key JWKS file:$dir/set; }
        location /turned { $handler cqrs_jwt_key JWKS file:$dir/turned; }
        location /env    { $handler cqrs_jwt_key HS256 env:T_JWT_SECRET; }
        location /envset { $handler cqrs_jwt_key JWKS env:T_JWT_SET; }
        location /file   { $handler cqrs_jwt_key HS256 file:$dir/c; }
    }
END
$ENV{T_JWT_SECRET} = $secret{env};
$ENV{T_JWT_SET}    = JSON::PP->new->encode({ keys => [ { secret('env') } ] });
$nginx->start;

sub ask {
    my ($path, $key, $kid, %args) = @_;

    my $token = Cqrs::Jwt::token({}, key => $secret{$key} // "$dir/$key",
        header => { defined $kid ? (kid => $kid) : () }, %args);

    return Cqrs::Http->new($nginx->port)->get($path, { Authorization => "Bearer $token" });
}


subtest 'a key is chosen by kid' => sub {
    allowed(ask('/kid', 'a', 'A'), 'the first');
    allowed(ask('/kid', 'b', 'B'), 'the second');
    refused(ask('/kid', 'b', 'A'), 'signature is not accepted', 'another one than it names');
    refused(ask('/kid', 'a', 'X'), 'names a key that is not known', 'one that is not there');
    refused(ask('/kid', 'a', 'a'), 'names a key that is not known', 'in another case');
    refused(ask('/kid', 'a', ''), 'names a key that is not known', 'an empty name');
    allowed(ask('/kid', 'b'), 'a token that names none is tried with each');
    allowed(ask('/any', 'b', 'X'), 'a key without kid is tried with each token');
    refused(ask('/any', 'a', 'X'), 'signature is not accepted', 'and may not fit');
    refused(ask('/kid', 'a', $_), 'kid is not a text', 'not a text: ' . JSON::PP->new->encode([$_]))
        for 1, ['A'], JSON::PP::true;
};


subtest 'a JWK Set' => sub {
    allowed(ask('/set', 'rsa2048', 'r', alg => 'RS256'), 'RSA is for RS256');
    refused(ask('/set', 'rsa2048', 'r', alg => 'RS384'), 'algorithm', 'and for nothing else');
    allowed(ask('/set', 'rsa2048', 'r512', alg => 'RS512'), 'unless it says alg');
    allowed(ask('/set', 'P-256', 'P-256', alg => 'ES256'), 'P-256');
    allowed(ask('/set', 'P-384', 'P-384', alg => 'ES384'), 'P-384');
    allowed(ask('/set', 'P-521', 'P-521', alg => 'ES512'), 'P-521');
    allowed(ask('/set', 'P-521', undef, alg => 'ES512'), 'without kid');
    allowed(ask('/set', 'a', 'o'), 'a secret');
    allowed(ask('/set', 'rsa2048', 'ps', alg => 'PS256'), 'PS256, where alg says so');
    refused(ask('/set', 'rsa2048', 'r', alg => 'PS256'), 'names a key', 'and only there');
    allowed(ask('/set', 'ed', 'ed', alg => 'EdDSA'), 'Ed25519 is for EdDSA');
    allowed(ask('/set', 'ed', 'ed25519', alg => 'Ed25519'), 'unless it says alg');
    allowed(ask('/set', 'ed', undef, alg => 'EdDSA'), 'without kid, too');
    refused(ask('/set', 'rsa2048', $_, alg => 'RS256'), 'names a key', "$_ is ignored")
        for qw(enc wrap k1 x ps ed);
    refused(ask('/set', 'b', 'o'), 'signature', 'by another secret');

    my ($status, $said) = $nginx->test_config;
    is($status, 0, 'what is not for us is no fault');
    like($said, qr/\[warn\].*"file:[^"]*set": key $_/, 'and is told')
        for '7 is ignored: it is not for signatures', '8 is ignored: it is not for signatures',
        '9 is ignored: the algorithm "ES256K" is not supported',
       
        '10 is ignored: keys of its "kty" or "crv" are not supported';
};


subtest 'a reload reads them anew' => sub {
    allowed(ask('/turned', 'a', '1'), 'the old key');
    allowed(ask('/file', 'c'), 'the old secret');
    refused(ask('/turned', 'c', '3'), 'names a key', 'the new key is not known yet');

    write_set('turned', { secret('b'), kid => '2' }, { secret('c'), kid => '3' });
    Cqrs::Paths::spew("$dir/c", "$secret{b}\n");
    allowed(ask('/turned', 'a', '1'), 'a changed file is not read by itself');
    $nginx->reload;

    refused(ask('/turned', 'a', '1'), 'names a key', 'the old key is gone');
    refused(ask('/turned', 'a'), 'signature', 'also without kid');
    allowed(ask('/turned', 'b', '2'), 'one that stayed is good');
    allowed(ask('/turned', 'c', '3'), 'the new one is good');
    allowed(ask('/file', 'b'), 'the new secret is good');
    refused(ask('/file', 'c'), 'signature', 'and the old one is not');
    allowed(ask('/env', 'env'), 'the environment is as it was');
    allowed(ask('/envset', 'env'), 'also a JWK Set there');
};


subtest 'a reload with a broken file changes nothing' => sub {
    Cqrs::Paths::spew("$dir/turned", '{');
    $nginx->signal('HUP');
    like($nginx->wait_log(qr/JWK Set is not JSON: line 1/), qr/\[emerg\]/, 'the log says why');
    allowed(ask('/turned', 'c', '3'), 'the keys are as before');
};

$nginx->stop(allow => qr/JWK Set is not JSON/);


subtest 'what nginx -t refuses' => sub {
    my $test = sub {
        my ($text, $why) = @_;

        my ($status, $output) = Cqrs::Nginx->new(http => $text)->test_config;
        isnt($status, 0, "refused: $text");
        like($output, qr/\[emerg\].*$why/, "... $why");
        unlike($output, qr/the secret/, '... without the key');
    };
    my $set = sub {
        my ($why, @keys) = @_;

        write_set('bad', @keys);
        $test->("cqrs_jwt_key JWKS file:$dir/bad;", $why);
    };

    $test->("cqrs_jwt_key $_ file:$dir/a;", "\"$_\" is not supported, supported are HS256")
        for qw(Ed448 ES256K);
    $test->("cqrs_jwt_key HS256 file:$dir/a $_;", 'may have "kid=ID"') for 'kid=', 'id=x';
    $test->("cqrs_jwt_key JWKS file:$dir/set kid=x;", 'a JWKS nothing');
    $test->("cqrs_jwt_key JWKS file:$dir/a;", 'not JSON: line 1, column');
    for ('[]', '{}', '{"keys":{}}') {
        Cqrs::Paths::spew("$dir/bad", $_);
        $test->("cqrs_jwt_key JWKS file:$dir/bad;", 'not an object with an array "keys"');
    }
    $set->('has no key that tokens can be checked with');
    $set->('has no key that tokens can be checked with', { %okp });
    $set->('key 1: it has no "kty"', {});
    $set->('key 2: it has no "kty"', { secret('a') }, 'x');
    $set->('key 1: its "kid" is not a text', { secret('a'), kid => 1 });
    $set->('key 1: its "alg" HS256 is not one of a key whose "kty" is "RSA"', { %rsa, alg => 'HS256' });
    $set->('key 1: its "alg" RS256 is not one of a key whose "kty" is "oct"', { secret('a'), alg => 'RS256' });
    $set->('key 1: the HS256 key has 31 bytes', { kty => 'oct', k => encode_base64url('x' x 31) });
    $set->('key 1: its "k" is not the base64url', $_) for { kty => 'oct' }, { kty => 'oct', k => '+' },
        { kty => 'oct', k => 'abcde' }, { kty => 'oct', k => 'x' x 4000 };
    $set->('key 1: its "n" is not the base64url', { kty => 'RSA', e => 'AQAB' });
    $set->('key 1: .* of 2048 bits or more', { %weak });
    $set->('key 1: its "crv" is not P-384', { %{ $ec{'P-256'} }, alg => 'ES384' });
    $set->('key 1: its "x" and "y" are not of the length', { %{ $ec{'P-256'} }, y => 'AA' });
    $set->('key 1: its numbers are not those of a public key for ES256',
        { %{ $ec{'P-256'} }, y => encode_base64url('y' x 32) });
    $set->('key 1: its "crv" is not Ed25519, which EdDSA needs', { %okp, alg => 'EdDSA' });
    $set->('key 1: its "alg" EdDSA is not one of a key whose "kty" is "RSA"', { %rsa, alg => 'EdDSA' });
    $set->('key 1: its "alg" PS256 is not one of a key whose "kty" is "OKP"', { %ed, alg => 'PS256' });
    $set->('key 1: its "x" is not the base64url', { %ed, x => undef });
    $set->('key 1: its numbers are not those of a public key for EdDSA', { %ed, x => 'AAAA' });
};

done_testing;
