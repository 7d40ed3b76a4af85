#!/usr/bin/perl

# cqrs_busy_poll: a worker does not sleep for a while after a query or a command,
# and then it does.

use strict;
use warnings;

use Test::More;

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

use constant REQUESTS => 20;

my $services = Cqrs::Services->get;
my $database = $services->database(install => 0);
my $vhost    = $services->vhost;

$database->dbh->do('create schema api');
$database->dbh->do('create table api.things as select 1 as id');

$vhost->declare_exchange('cqrs.commands', type => 'topic');
$vhost->declare_queue('all');
$vhost->bind('all', 'cqrs.commands', '#');


for my $value ('0', '2s', 'on', '-1ms') {
    my ($status, $said) = nginx($value)->test_config;
    is($status, 1, "$value is refused");
    like($said, qr/"\Q$value\E" in "cqrs_busy_poll" directive, it must be "off" or a time from 1ms to 1000ms in .*:\d+/,
        'with what would be right');
}

{
    my ($status, $said) = nginx('1ms; cqrs_busy_poll off')->test_config;
    is($status, 1, 'twice is refused');
    like($said, qr/"cqrs_busy_poll" directive is duplicate in/, 'with its line');
}

is((nginx('off')->test_config)[0], 0, 'off is a value');


my $nginx = nginx('1s')->start;
my ($worker) = $nginx->worker_pids;
my $http = Cqrs::Http->new($nginx->port);

wait_until { sleeps() } 30, 'the worker to sleep when nothing was asked yet';
pass('a worker that was not asked anything sleeps');

for my $what (
    ['a query',   sub { $http->request('GET', '/api/things')->{body} eq '[{"id":1}]' }],
    ['a command', sub { $http->request('POST', '/deposit', { 'Content-Type' => 'application/json' }, '{}')
                            ->{status} == 202 }],
) {
    my ($name, $request) = @$what;

    ok($request->(), "$name is answered");

    # Where somebody else keeps the machine busy for a second, we ask again.
    ok(eval {
        wait_until {
            $request->();
            my $slept = slept();
            $request->() for 1 .. REQUESTS;
            slept() == $slept;
        } 30, 'no sleep';
    }, "after $name the worker does not sleep before the next one");
    ok(eval { wait_until { sleeps() } 30, 'sleep' }, 'and after that it sleeps');
}

$http->request('GET', '/api/things');
$nginx->reload;
is(Cqrs::Http->new($nginx->port)->request('GET', '/api/things')->{status}, 200, 'a reload does not wait for it');

$nginx->stop;
done_testing;


sub nginx {
    my ($value) = @_;

    return Cqrs::Nginx->new(workers => 1, http => <<"END");
    cqrs_busy_poll   $value;
    cqrs_postgres    "@{[ $database->conninfo ]}";
    cqrs_rabbitmq    @{[ $vhost->url ]};
    cqrs_partitions  1;

    server {
        listen 127.0.0.1:%PORT%;

        location /api/     { cqrs_query schema=api; }
        location /deposit  { cqrs_command deposit stream=a; }
    }
END
}

# How often it gave its processor away because it had nothing to do.
sub slept {
    my ($times) = Cqrs::Paths::slurp("/proc/$worker/status") =~ /^voluntary_ctxt_switches:\s*(\d+)/m;

    return $times;
}

sub sleeps {
    my ($state) = Cqrs::Paths::slurp("/proc/$worker/stat") =~ /\) (\w)/;

    return $state eq 'S';
}
