package Cqrs::Jwt;

# JSON Web Tokens for tests, good ones and bad ones.
#
#   Cqrs::Jwt::token({ sub => 'alice', exp => time + 60 }, key => 'secret');
#   Cqrs::Jwt::token(\%claims, alg => 'RS256', key => '/path/key.pem');
#
# alg: HS256 (default), HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256,
# ES384, ES512, EdDSA, Ed25519, none; header => {...} adds to the head, sign => 'HS256'
# signs by another alg, salt => 20 by another salt than PS... has. The claims may also
# be text, sent as it is.
#
# For the answers to GET of a cqrs_command, 401 for who may not and 405 for who
# may: allowed($answer, $name), refused($answer, $why, $name).

use strict;
use warnings;

use Carp qw(croak);
use Digest::SHA;
use Exporter qw(import);
use File::Temp;
use JSON ();
use MIME::Base64 qw(encode_base64url);
use Test::More ();

our @EXPORT_OK = qw(allowed refused);

sub token {
    my ($claims, %args) = @_;

    my $alg = $args{alg} // 'HS256';
    my $json = JSON->new->utf8->canonical;

    my $head = $json->encode({ alg => $alg, typ => 'JWT', %{ $args{header} || {} } });
    my $body = ref $claims ? $json->encode($claims) : $claims;
    my $signed = encode_base64url($head) . '.' . encode_base64url($body);

    return "$signed." . encode_base64url(_sign($args{sign} // $alg, $signed, $args{key}, $args{salt}));
}

sub _sign {
    my ($alg, $text, $key, $salt) = @_;

    return ''                                    if $alg eq 'none';
    return Digest::SHA::hmac_sha256($text, $key) if $alg eq 'HS256';
    return Digest::SHA::hmac_sha384($text, $key) if $alg eq 'HS384';
    return Digest::SHA::hmac_sha512($text, $key) if $alg eq 'HS512';

    my $file = File::Temp->new;
    print $file $text;
    close $file;

    return _openssl('pkeyutl', '-sign', '-inkey', $key, '-rawin', '-in', "$file")
        if $alg =~ /^Ed(DSA|25519)$/;

    my ($kind, $bits) = $alg =~ /^(RS|PS|ES)(256|384|512)$/ or croak "unknown alg $alg";
    $salt //= 'digest';
    my @padding = $kind eq 'PS'
        ? map { ('-sigopt', $_) } 'rsa_padding_mode:pss', "rsa_pss_saltlen:$salt" : ();
    my $signature = _openssl('dgst', "-sha$bits", '-sign', $key, @padding, "$file");

    return $signature if $kind ne 'ES';

    return _raw($signature, { 256 => 32, 384 => 48, 512 => 66 }->{$bits});
}

sub _openssl {
    my (@command) = @_;

    open my $out, '-|', 'openssl', @command or croak "openssl: $!";
    binmode $out;
    local $/;
    my $signature = <$out>;
    close $out or croak 'openssl could not sign';

    return $signature;
}

# ECDSA: openssl writes two integers in DER, a token has them side by side.
sub _raw {
    my ($der, $size) = @_;

    my $long = unpack('x C', $der) & 0x80 ? 1 : 0;
    my @numbers = unpack 'x' . (2 + $long) . ' (x C/a*)2', $der;
    s/\A\0+// for @numbers;

    return join '', map { "\0" x ($size - length) . $_ } @numbers;
}

sub allowed {
    my ($answer, $name) = @_;

    Test::More::is($answer->{status}, 405, $name) or Test::More::diag($answer->{body});

    return $answer;
}

sub refused {
    my ($answer, $why, $name) = @_;

    Test::More::is($answer->{status}, 401, $name);
    Test::More::like($answer->{headers}{'www-authenticate'},
        qr/^Bearer error="invalid_token", error_description="[^"]*$why[^"]*"\z/,
        '... with its reason in WWW-Authenticate');
    Test::More::is($answer->{headers}{'content-type'}, 'application/problem+json',
        '... and a problem');

    my $problem = JSON->new->utf8->decode($answer->{body});
    Test::More::is($problem->{type}, 'urn:ngx-cqrs:problem:invalid-token', '... of its kind');
    Test::More::like($problem->{detail}, qr/$why/, '... that says the same');
}

1;
