package Cqrs::Shop;

# The shop of t/lib/query_schema.sql behind an nginx, and tables of requests and
# answers.
#
#   my $shop = Cqrs::Shop->new(
#       sql       => 'create ...;',            # beyond the schema
#       server    => 'cqrs_query_plan on;',    # beside what is below
#       http      => 'server { ... }',         # another one, on %PORT2%
#       locations => { '/few/' => 'cqrs_query schema=shop max_rows=2;' },
#   );
#   $shop->check(\*DATA);
#   $shop->stop;
#
# "/" is cqrs_query with the schemas shop and other; {customer:ada} in a header
# is a token of that role and subject.  A table consists of promises, each with
# exchanges that a blank line separates:
#
#   === what is promised
#   GET /customers?select=id&name=eq.Dé 100%25
#   > Accept: application/json
#   200 [{"id":4}]
#   < Content-Range: 0-0/*
#   < ! Preference-Applied
#
# Blanks and what else a URL must not hold are encoded; "%" stays.  After the
# status comes the body, also on the following lines: JSON is compared by value,
# key order aside, of an error only the keys that are told; "= " before it makes
# it a comparison of bytes, "~ " a regular expression.  "(empty)" is no body.  A
# header's value may be a /regular expression/; "!" is its absence.

use strict;
use utf8;
use warnings;

use Carp qw(croak);
use JSON ();
use Test::More;

use Cqrs::Http;
use Cqrs::Jwt;
use Cqrs::Nginx;
use Cqrs::Paths;
use Cqrs::Services;

use constant SECRET => 'a secret of more than thirty-two bytes';

my $json = JSON->new->utf8->canonical->allow_nonref;

sub new {
    my ($class, %args) = @_;

    my $database = Cqrs::Services->get->database(install => 0);
    $database->run(Cqrs::Paths::root() . '/t/lib/query_schema.sql');
    $database->dbh->do($args{sql}) if $args{sql};

    my $self = bless { database => $database }, $class;

    $self->{nginx} = Cqrs::Nginx->new(http => $self->_config(%args));
    Cqrs::Paths::spew($self->{nginx}->dir . '/key', SECRET);
    $self->{nginx}->start;
    $self->{http} = Cqrs::Http->new($self->{nginx}->port);

    return $self;
}

sub database { return $_[0]{database} }
sub http     { return $_[0]{http} }
sub nginx    { return $_[0]{nginx} }

sub stop {
    my ($self) = @_;

    return $self->{nginx}->stop;
}

# Another role's token: token('customer', sub => 'ada').
sub token {
    my ($self, $role, %claims) = @_;

    return Cqrs::Jwt::token({ role => "web_$role", %claims }, key => SECRET);
}

sub check {
    my ($self, $table) = @_;

    for my $promise (_read($table)) {
        subtest $promise->{title} => sub {
            $self->_exchange($_) for @{ $promise->{exchanges} };
        };
    }
}

sub _config {
    my ($self, %args) = @_;

    my $conninfo = $self->{database}->conninfo('web_authenticator');
    my %locations = (
        '/' => 'cqrs_query schema=shop,other;',
        %{ $args{locations} || {} },
    );
    my $locations = join '', map { "    location $_ { $locations{$_} }\n" } sort keys %locations;
    my ($server, $http) = map { $_ // '' } @args{qw(server http)};

    return <<"CONFIG";
cqrs_postgres "$conninfo" pool=2;

server {
    listen 127.0.0.1:%PORT%;

    cqrs_jwt_key HS256 file:%DIR%/key;
    cqrs_jwt optional;
    cqrs_query_anonymous_role web_anonymous;
    cqrs_query_extra_search_path extra;
    $server

$locations
}
$http
CONFIG
}

sub _read {
    my ($table) = @_;

    my @promises;
    my $exchange;
    while (defined(my $line = <$table>)) {
        utf8::decode($line);
        chomp $line;

        if ($line =~ /^=== (.+)/) {
            push @promises, { title => $1, exchanges => [] };
            undef $exchange;
        } elsif ($line =~ /^\s*(?:#|$)/) {
            undef $exchange;
        } elsif (!$exchange) {
            croak "there is no promise before: $line" unless @promises;
            my ($method, $target) = $line =~ /^([A-Z]+) (.+)/ or croak "no request: $line";
            $exchange = { method => $method, target => $target, asked => [], told => [] };
            push @{ $promises[-1]{exchanges} }, $exchange;
        } elsif (!$exchange->{status} && $line =~ /^> ([^:]+): (.*)/) {
            push @{ $exchange->{asked} }, [ $1, $2 ];
        } elsif (!$exchange->{status}) {
            @$exchange{qw(status body)} = $line =~ /^(\d{3})(?: (.+))?$/
                or croak "no status: $line";
        } elsif ($line =~ /^< (!) (\S+)$/ || $line =~ /^< ([^:]+): ?(.*)/) {
            push @{ $exchange->{told} }, [ $1, $2 ];
        } else {
            $exchange->{body} = join "\n", grep { defined } $exchange->{body}, $line;
        }
    }

    return @promises;
}

sub _exchange {
    my ($self, $x) = @_;

    my %headers;
    for (@{ $x->{asked} }) {
        my ($name, $value) = @$_;
        $value =~ s/\{(customer|clerk|anonymous)(?::(\w+))?\}/
            $self->token($1, $2 ? (sub => $2) : ())/ge;
        push @{ $headers{$name} }, $value;
    }

    my $answer = $self->{http}->request($x->{method}, _encoded($x->{target}), \%headers);
    my $what = "$x->{method} $x->{target}";

    is($answer->{status}, $x->{status}, $what) or diag($answer->{body});
    _body($answer->{body}, $x, $what) if defined $x->{body};
    _header($answer->{headers}, @$_) for @{ $x->{told} };
}

sub _encoded {
    my ($target) = @_;

    utf8::encode($target);
    $target =~ s/([^A-Za-z0-9\-._~!\$&'()*+,;=:\@\/?%\[\]])/sprintf '%%%02X', ord $1/ge;

    return $target;
}

sub _body {
    my ($got, $x, $what) = @_;

    my $expected = $x->{body};
    my $text = $got;
    utf8::decode($text);

    return is($text, '', 'has no body') if $expected eq '(empty)';
    return is($text, substr($expected, 2), "$what: body") if $expected =~ /^= /;
    return like($text, qr/$1/, "$what: body") if $expected =~ /^~ (.+)/s;

    utf8::encode(my $bytes = $expected);
    my $wanted = eval { $json->decode($bytes) };
    return is($text, $expected, "$what: body") if $@;

    my $value = eval { $json->decode($got) };
    return is($text, $expected, "$what: body is JSON") if $@;

    # what an error does not promise is not compared
    if ($x->{status} >= 300 && ref $wanted eq 'HASH' && ref $value eq 'HASH') {
        $value = { map { $_ => $value->{$_} } grep { exists $value->{$_} } keys %$wanted };
    }
    is(_written($value), _written($wanted), "$what: body");
}

sub _written {
    my ($value) = @_;

    my $text = $json->encode($value);
    utf8::decode($text);

    return $text;
}

sub _header {
    my ($headers, $name, $value) = @_;

    if ($name eq '!') {
        ok(!exists $headers->{ lc $value }, "no $value")
            or diag("it is $headers->{ lc $value }");
    } elsif ($value =~ m{^/(.+)/$}) {
        like($headers->{ lc $name }, qr/$1/, "$name: $value");
    } else {
        is($headers->{ lc $name }, $value, "$name: $value");
    }
}

1;
