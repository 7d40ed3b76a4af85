#!/usr/bin/perl

# amqps: certificates of both sides, revoked ones, ciphers.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $services = Cqrs::Services->private(only => ['rabbitmq']);
my $vhost    = $services->vhost;
my $dir      = tempdir(CLEANUP => 1);
chmod 0755, $dir;

$vhost->declare_exchange('cqrs.commands', type => 'topic');
$vhost->declare_queue('all');
$vhost->bind('all', 'cqrs.commands', '#');

# An authority; a broker, and one whose certificate was revoked; two clients, of
# whom only one is the authority's, and its key once more with a password.
Cqrs::Paths::spew("$dir/ca.cnf", <<'END');
[ca]
default_ca = this
[this]
database         = index
new_certs_dir    = .
serial           = serial
certificate      = ca.crt
private_key      = ca.key
default_md       = sha256
default_days     = 2
default_crl_days = 2
policy           = any
copy_extensions  = copy
[any]
commonName = supplied
END
Cqrs::Paths::spew("$dir/make", <<'END');
set -e
cd "$1"
: >index
echo 1000 >serial
new="openssl req -newkey rsa:2048 -nodes"
$new -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.crt
for name in broker revoked client; do
    $new -subj /CN=$name -addext subjectAltName=DNS:localhost -keyout $name.key -out $name.csr
    openssl ca -batch -notext -config ca.cnf -in $name.csr -out $name.crt
done
openssl ca -config ca.cnf -revoke revoked.crt
openssl ca -config ca.cnf -gencrl -out ca.crl
$new -x509 -days 2 -subj /CN=client -keyout stranger.key -out stranger.crt
openssl rsa -aes128 -passout pass:sesame -in client.key -out secret.key
echo sesame >password
echo other >wrong
chmod 644 *.key
END
system('sh', '-c', 'sh "$1/make" "$1" >"$1/log" 2>&1', 'sh', $dir) == 0 or die Cqrs::Paths::slurp("$dir/log");

my $old  = '{versions, [\'tlsv1.2\']}, {ciphers, ["ECDHE-RSA-AES256-GCM-SHA384"]}';
my $peer = qq({cacertfile, "$dir/ca.crt"}, {verify, verify_peer}, {fail_if_no_peer_cert, true});
my %listens = (
    2 => [ 'broker' ],
    3 => [ 'revoked' ],
    4 => [ 'broker', $peer ],
    5 => [ 'broker', $old ],
);

my @ways = (
    [ plain      => 2, '', 1 ],
    [ crl        => 2, "ssl_crl=$dir/ca.crl", 1 ],
    [ believed   => 3, '', 1 ],
    [ revoked    => 3, "ssl_crl=$dir/ca.crl", 0, qr/certificate revoked/ ],
    [ nobody     => 4, '', 0, qr/no connection, / ],
    [ client     => 4, "ssl_certificate=$dir/client.crt ssl_certificate_key=$dir/client.key", 1 ],
    [ password   => 4, "ssl_certificate=$dir/client.crt ssl_certificate_key=$dir/secret.key ssl_password_file=$dir/password", 1 ],
    [ stranger   => 4, "ssl_certificate=$dir/stranger.crt ssl_certificate_key=$dir/stranger.key", 0, qr/no connection, / ],
    [ cipher     => 5, 'ssl_ciphers=AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384', 1 ],
    [ usual      => 5, '', 1 ],
    [ no_cipher  => 5, 'ssl_ciphers=ECDHE-RSA-AES128-GCM-SHA256', 0, qr/the TLS handshake failed/ ],
    [ deep       => 2, 'ssl_verify_depth=0', 1 ],
);

my $locations = join '', map {
    my ($name, $port, $parameters) = @$_;
    my $url = "amqps://localhost:%PORT$port%/" . $vhost->name;
    "location /$name { cqrs_rabbitmq $url ssl_trusted_certificate=$dir/ca.crt $parameters;
                       cqrs_command x stream=x; }\n";
} @ways;

my $nginx = Cqrs::Nginx->new(http => "cqrs_partitions 1; server { listen 127.0.0.1:%PORT%; $locations }");
for my $port (sort keys %listens) {
    my ($name, $options) = @{ $listens{$port} };
    $services->listen_tls($nginx->port($port), "$dir/$name.crt", "$dir/$name.key", $options);
}
$nginx->start;

my $http = Cqrs::Http->new($nginx->port);

sub send_to {
    my ($name) = @_;

    return $http->request('POST', "/$name", { 'Content-Type' => 'application/json' }, '{}');
}

for (@ways) {
    my ($name, $port, $parameters, $good, $why) = @$_;

    if ($good) {
        ok(eval { wait_until { send_to($name)->{status} == 202 } 10, '202' }, "$name: accepted")
            or diag $nginx->log;
        next;
    }
    my $answer = send_to($name);
    is($answer->{status}, 503, "$name: refused");
    like($answer->{body}, qr/broker-unavailable/, 'as if there were no broker');
    like($nginx->wait_log(qr/127\.0\.0\.1:@{[ $nginx->port($port) ]}.*$why/), qr/\[error\]/, 'the log says why');
}
$nginx->stop;


sub refused {
    my ($parameters, $why) = @_;

    my ($status, $output) = Cqrs::Nginx->new(
        http => "cqrs_rabbitmq amqps://localhost/ $parameters; server { }")->test_config;
    isnt($status, 0, "nginx -t refuses $parameters");
    like($output, qr/\[emerg\].*$why/, '... with its reason');
    unlike($output, qr/sesame/, '... without a password');
}

refused("ssl_certificate=$dir/client.crt ssl_certificate_key=$dir/stranger.key", 'mismatch');
refused("ssl_certificate=$dir/none.crt", 'none.crt');
refused("ssl_certificate=$dir/client.crt ssl_certificate_key=$dir/secret.key ssl_password_file=$dir/wrong", 'secret.key');
refused("ssl_trusted_certificate=$dir/ca.crt ssl_crl=$dir/none.crl", 'none.crl');
refused('ssl_ciphers=none-of-this', 'no cipher match');

done_testing;
