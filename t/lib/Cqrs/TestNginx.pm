package Cqrs::TestNginx;

# Test files in the format of Test::Nginx::Socket, on our servers.
#
#   use Cqrs::TestNginx;          # instead of: use Test::Nginx::Socket;
#   plan tests => repeat_each() * 2 * blocks();
#   run_tests();
#   __DATA__
#   === TEST 1: ...
#
# Where the CPAN module is installed the file runs under it, otherwise under
# ours in t/lib/fallback; CQRS_TEST_NGINX=fallback or =cpan insists on one.
#
# In the configuration sections $TEST_NGINX_POSTGRES, $TEST_NGINX_RABBITMQ and
# $TEST_NGINX_REDIS are a database, a virtual host and a logical database of
# this file's own, with the bank example in it.  The objects behind them are
# Cqrs::TestNginx->database, ->vhost and ->redis.  Arguments of `use` go to
# Cqrs::Database (bank => 0: without the example); a file that needs no servers
# says: use Cqrs::TestNginx services => 0.

use strict;
use warnings;

use File::Temp qw(tempdir);

use Cqrs::Nginx;
use Cqrs::Paths;

my (%made, $loaded);

sub database { return $made{database} }
sub vhost    { return $made{vhost} }
sub redis    { return $made{redis} }

sub import {
    my ($class, %args) = @_;

    _make_services(%args) if ($args{services} // 1) && !$^C;    # not for perl -c
    _load();

    my $caller = caller;
    eval "package $caller; Test::Nginx::Socket->import; 1" or die $@;
}

sub _make_services {
    my (%args) = @_;

    require Cqrs::Services;
    my $services = Cqrs::Services->get;

    %made = (
        database => $services->database(bank => 1, partitions => 4, %args),
        vhost    => $services->vhost,
        redis    => $services->redis,
    );
    $ENV{TEST_NGINX_POSTGRES} = $made{database}->conninfo('cqrs_reader');
    $ENV{TEST_NGINX_RABBITMQ} = $made{vhost}->url;
    $ENV{TEST_NGINX_REDIS} = $made{redis}->url;
}

# The CPAN module reads these when it is loaded.
sub _load {
    return if $loaded++;

    my $dir = tempdir('cqrs-testnginx-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;

    $ENV{TEST_NGINX_BINARY} ||= Cqrs::Paths::nginx();
    $ENV{TEST_NGINX_LOAD_MODULES} ||= Cqrs::Paths::module();
    $ENV{TEST_NGINX_SERVROOT} ||= "$dir/servroot";
    $ENV{TEST_NGINX_PORT} ||= Cqrs::Nginx::free_port();

    my $want = $ENV{CQRS_TEST_NGINX} || '';
    if ($want ne 'fallback') {
        return if eval { require Test::Nginx::Socket; 1 };
        die $@ if $want eq 'cpan' || $@ !~ m{^Can't locate Test/Nginx/Socket\.pm};
    }

    unshift @INC, Cqrs::Paths::root() . '/t/lib/fallback';
    require Test::Nginx::Socket;
}

1;
