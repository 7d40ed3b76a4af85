package Cqrs::Jwt;

# JSON Web Tokens for tests, good ones and bad ones.
#
#   Cqrs::Jwt::token({ sub => 'alice', exp => time + 60 }, key => 'secret');
#   Cqrs::Jwt::token(\%claims, alg => 'RS256', key => '/path/key.pem');
#
# alg: HS256 (default), HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512,
# none; header => {...} adds to the head, sign => 'HS256' signs by another alg.  The claims may also be text, sent as it is.

use strict;
use warnings;

use Carp qw(croak);
use Digest::SHA;
use File::Temp;
use JSON ();
use MIME::Base64 qw(encode_base64url);

sub token {
    my ($claims, %args) = @_;

    my $alg = $args{alg} // 'HS256';
    my $json = JSON->new->utf8->canonical;

    my $head = $json->encode({ alg => $alg, typ => 'JWT', %{ $args{header} || {} } });
    my $body = ref $claims ? $json->encode($claims) : $claims;
    my $signed = encode_base64url($head) . '.' . encode_base64url($body);

    return "$signed." . encode_base64url(_sign($args{sign} // $alg, $signed, $args{key}));
}

sub _sign {
    my ($alg, $text, $key) = @_;

    return ''                                    if $alg eq 'none';
    return Digest::SHA::hmac_sha256($text, $key) if $alg eq 'HS256';
    return Digest::SHA::hmac_sha384($text, $key) if $alg eq 'HS384';
    return Digest::SHA::hmac_sha512($text, $key) if $alg eq 'HS512';

    my ($kind, $bits) = $alg =~ /^(RS|ES)(256|384|512)$/ or croak "unknown alg $alg";
    my $file = File::Temp->new;
    print $file $text;
    close $file;
    open my $out, '-|', 'openssl', 'dgst', "-sha$bits", '-sign', $key, "$file"
        or croak "openssl: $!";
    binmode $out;
    local $/;
    my $signature = <$out>;
    close $out or croak 'openssl could not sign';

    return $kind eq 'RS' ? $signature : _raw($signature, { 256 => 32, 384 => 48, 512 => 66 }->{$bits});
}

# ECDSA: openssl writes two integers in DER, a token has them side by side.
sub _raw {
    my ($der, $size) = @_;

    my $long = unpack('x C', $der) & 0x80 ? 1 : 0;
    my @numbers = unpack 'x' . (2 + $long) . ' (x C/a*)2', $der;
    s/\A\0+// for @numbers;

    return join '', map { "\0" x ($size - length) . $_ } @numbers;
}

1;
