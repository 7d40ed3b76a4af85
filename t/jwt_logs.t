#!/usr/bin/perl

# A token in an argument is in no log, whatever becomes of its request, and
# whichever server or handler it comes to.

use strict;
use warnings;

use File::Temp qw(tempdir);
use Test::More;

use Cqrs::Http;
use Cqrs::Jwt;
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Wait qw(wait_until);

my $secret = 'a secret of thirty-two bytes or more';
my $dir    = tempdir(CLEANUP => 1);
chmod 0755, $dir;
Cqrs::Paths::spew("$dir/secret", $secret);

my $nginx = Cqrs::Nginx->new(log_level => 'info', http => <<"END");
    limit_req_zone \$server_port zone=one:32k rate=1r/m;
    log_format all '\$request|\$request_uri|\$args|\$arg_token|\$http_referer|\$status';
    access_log $dir/access.log all;
    large_client_header_buffers 2 2k;

    server {
        listen 127.0.0.1:%PORT%;
        listen 127.0.0.1:%PORT2% http2;

        location / {
            cqrs_rabbitmq    amqp://127.0.0.1:1/;
            cqrs_partitions  1;
            cqrs_jwt_key     HS256 file:$dir/secret;
            cqrs_jwt_from    argument:token argument:T2 argument:t2;
            cqrs_command     x stream=x;
            client_max_body_size 10;
        }
        location /file  { root $dir; }
        location /found { return 200 "\$args"; }
    }

    server {
        listen 127.0.0.1:%PORT3% deferred;
        return 301 https://elsewhere/;
    }
END
$nginx->start;

my $token = Cqrs::Jwt::token({ sub => 'alice' }, key => $secret);

# The status, when the access log has its line.
sub sent {
    my ($port, $bytes) = @_;

    my $before = lines();
    my $http = Cqrs::Http->new($nginx->port($port));
    $http->send_bytes($bytes);
    my $status = eval { $http->read_answer->{status} } // 'closed';
    $http->close;

    wait_until { lines() > $before } 10, 'its line';

    return $status;
}

sub lines { return split /\n/, Cqrs::Paths::slurp("$dir/access.log") }
sub logged { return (lines())[-1] }

my $host = "Host: x\r\nConnection: close\r\n";

subtest 'requests that come to nobody' => sub {
    is(sent(1, "POST /?token=$token HTTP/1.1\r\n${host}Content-Length: 11\r\n\r\n"), 413, 'too large a body');
    like($nginx->log, qr/too large body.*request: "POST \/\?token=\*+ HTTP\/1\.1", host: "x"/, 'stars');
    like(logged(), qr/^POST \/\?token=(\*+) HTTP\/1\.1\|\/\?token=\1\|token=\1\|\1\|-\|413$/, 'stars in each variable');

    is(sent(1, "GET /?token=$token HTTP/1.1\r\n\r\n"), 400, 'no Host');
    like($nginx->log, qr/without "Host" header.*request: "GET \/\?token=\*+ HTTP/, 'stars');

    is(sent(1, "GET /?a=1&token=$token&b=2 HTTP/1.1\r\nHost: x\r\nB\x01d: x\r\n\r\n"), 400, 'a bad header');
    like($nginx->log, qr/invalid header.*request: "GET \/\?a=1&token=\*+&b=2 HTTP/, 'stars');

    is(sent(1, "GET /?token=$token HTTP/x.y\r\n\r\n"), 400, 'a bad request line');
    like($nginx->log, qr/invalid request.*request: "GET \/\?token=\*+ HTTP/, 'stars');
    like(logged(), qr/^GET \/\?token=\*+ HTTP/, 'stars');

    is(sent(1, "GET /?a=b c&token=$token HTTP/1.1\r\n$host\r\n"), 400, 'a blank in it');
    is(sent(1, "GET /?token=\"$token\" HTTP/1.1\r\n$host\r\n"), 401, 'a quoted token');
    is(sent(1, "GET /?token=$token HTTP/1.1\r\nHost: x\r\nX: " . 'x' x 5000 . "\r\n\r\n"), 400, 'large headers');
    like($nginx->log, qr/too long header line.*request: "GET \/\?token=\*+ HTTP/, 'stars');
};


subtest 'requests to others' => sub {
    is(sent(1, "GET /file/x?token=$token HTTP/1.1\r\n$host\r\n"), 404, 'a file');
    like($nginx->log, qr/open\(\) ".*request: "GET \/file\/x\?token=\*+ HTTP/, 'stars');
    is(sent(1, "GET /found?token=$token&t2=$token HTTP/1.1\r\n$host\r\n"), 200, 'another handler');
    like(logged(), qr/^GET \/found\?token=(\*+)&t2=\1 HTTP/, 'stars');
    is(sent(3, "GET /found?token=$token HTTP/1.1\r\n$host\r\n"), 301, 'another server');
    like(logged(), qr/^GET \/found\?token=(\*+) HTTP/, 'stars');
    is(sent(3, "GET /found?token=$token HTTP/1.1\r\n\r\n"), 400, 'there a bad request, after a deferred accept');

    my $answer = Cqrs::Http->new($nginx->port)->get("/found?token=$token");
    is($answer->{body}, "token=$token", 'a handler gets what was sent');
};


subtest 'the page that sent the request' => sub {
    my $referer = "Referer: https://page/?a=1&T2=$token";
    is(sent(1, "GET /file/x HTTP/1.1\r\n$host$referer\r\n\r\n"), 404, 'a request');
    like($nginx->log, qr/referrer: "https:\/\/page\/\?a=1&T2=\*+"/, 'stars');
    like(logged(), qr/\|https:\/\/page\/\?a=1&T2=\*+\|404$/, 'stars');
};


subtest 'a client that leaves' => sub {
    my $http = Cqrs::Http->new($nginx->port);
    $http->send_bytes("GET /?token=$token HTTP/1.1\r\n");
    $http->close;
    like($nginx->wait_log(qr/closed connection.*request: "GET \/\?token/),
        qr/request: "GET \/\?token=\*+ HTTP/, 'stars');
};


subtest 'HTTP/2' => sub {
    plan skip_all => 'this curl has no HTTP/2' unless `curl -V 2>&1` =~ /HTTP2/;

    my $curl = sub {
        open my $out, '-|', 'curl', '-s', '-m', 10, '--http2-prior-knowledge', '-o', '/dev/null',
            '-w', '%{http_code}', @_ or die "curl: $!";
        local $/;
        return scalar <$out>;
    };
    my $url = 'http://127.0.0.1:' . $nginx->port(2);
    $curl->("$url/?token=$token", '--data-binary', 'x' x 11);    # may take the end of it for an error
    like($nginx->wait_log(qr/too large body.*HTTP\/2/), qr/request: "POST \/\?token=\*+ HTTP\/2\.0"/,
        'too large a body');
    is($curl->("$url/file/x?token=$token"), 404, 'a file');
    like($nginx->log, qr/request: "\w+ \/file\/x\?token=\*+ HTTP\/2\.0"/, 'stars');
};


subtest 'none of them is in a log' => sub {
    $nginx->reload;
    is(sent(1, "GET /?token=$token HTTP/1.1\r\n\r\n"), 400, 'nor after a reload');
    $nginx->stop;
    for (map { substr $token, $_, 12 } 0, length($token) - 12) {
        unlike($nginx->log, qr/\Q$_\E/, 'the error log');
        unlike(Cqrs::Paths::slurp("$dir/access.log"), qr/\Q$_\E/, 'the access log');
    }
};

done_testing;
