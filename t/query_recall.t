#!/usr/bin/perl

# A request that differs from an earlier one in its values alone is not planned
# again.  What nobody may notice: that is tried here, with one worker, each
# request behind one that has left its plan.

use strict;
use warnings;

use Test::More;

use Cqrs::Http;
use Cqrs::Nginx;
use Cqrs::Services;
use Cqrs::Wait qw(wait_until);

my $database = Cqrs::Services->get->database(install => 0);

$database->dbh->do($_) for (
    'create schema api',
    'create schema other',
    q{create table api.shelves (id int primary key, name text)},
    q{create table api.books (id int primary key, title text, shelf int references api.shelves, price numeric)},
    q{create table other.books (id int primary key, title text)},
    q{insert into api.shelves values (1, 'low'), (2, 'high')},
    q{insert into api.books select n, 'book ' || n, 1 + n % 2, n * 1.5 from generate_series(1, 20) as n},
    q{insert into other.books values (1, 'another')},
);

my $nginx = Cqrs::Nginx->new(workers => 1, http => <<"END")->start;
    cqrs_postgres "@{[ $database->conninfo ]}";

    server {
        listen 127.0.0.1:%PORT%;

        location /api/    { cqrs_query schema=api,other; }
        location /few/    { cqrs_query schema=api,other max_rows=2; }
        location /strict/ { cqrs_query schema=api,other; cqrs_query_legacy_targets off; }
    }
END

my $http = Cqrs::Http->new($nginx->port);

sub get {
    my ($path, %headers) = @_;

    return $http->request('GET', $path, \%headers);
}

sub answers {
    my ($path, $body, $name, %headers) = @_;

    is(get($path, %headers)->{body}, $body, $name // $path);
}


subtest 'each value has its own answer' => sub {
    for my $n (1 .. 3) {
        answers("/api/books?select=title&id=eq.$n", qq([{"title":"book $n"}]));
        answers("/api/books?select=title&id=gt.$n&id=lt." . ($n + 2), qq([{"title":"book @{[ $n + 1 ]}"}]));
        answers("/api/books?select=id,shelves(name)&id=eq.$n&shelves.name=eq.low",
            $n % 2 ? qq([{"id":$n,"shelves":null}]) : qq([{"id":$n,"shelves":{"name":"low"}}]));
        answers("/api/books?select=id&title=eq.book+$n", qq([{"id":$n}]));
        answers("/api/books?select=id&title=not.eq.book%20$n&id=lte.2",
            '[' . join(", \n ", map { qq({"id":$_}) } grep { $_ != $n } 1, 2) . ']');
    }
    answers('/api/books?select=title&id=eq.99', '[]');
};


subtest 'its location is its own too' => sub {
    for my $n (1, 2) {
        my $answer = get("/api/books?id=eq.$n&select=title");
        is($answer->{headers}{'content-location'}, "/api/books?id=eq.$n&select=title", "of $n");
        is($answer->{headers}{'content-range'}, '0-0/*', 'and its range');
    }
    is(get('/api/books?select=id&offset=3&limit=2&id=gt.0')->{headers}{'content-range'}, '3-4/*', 'of a page');
    is(get('/api/books?select=id&offset=3&limit=2&id=gt.5')->{headers}{'content-range'}, '3-4/*', 'and again');
};


subtest 'a value that is wrong is told as one' => sub {
    for (1, 2) {
        my $answer = get('/api/books?select=title&id=eq.x');
        is($answer->{status}, 400, 'refused');
        like($answer->{body}, qr/"22P02"/, 'by Postgres');
    }
};


subtest 'what else the answer depends on' => sub {
    my $path = '/api/books?select=id,title&id=eq.1';

    answers($path, '[{"id":1,"title":"book 1"}]', 'JSON');
    answers($path, qq(id,title\n1,"book 1"), 'CSV', 'Accept' => 'text/csv');
    answers($path, '{"id":1,"title":"book 1"}', 'an object', 'Accept' => 'application/vnd.pgrst.object+json');
    is(get($path, 'Accept' => 'image/png')->{status}, 406, 'a type that is not made');
    answers($path, '[{"id":1,"title":"book 1"}]', 'JSON again', 'Accept' => 'application/json');

    is(get($path, 'Prefer' => 'count=exact')->{headers}{'content-range'}, '0-0/1', 'a count');
    is(get($path)->{headers}{'content-range'}, '0-0/*', 'and none');
    is(get($path, 'Prefer' => 'handling=strict, colour=red')->{status}, 400, 'a preference that is refused');
    is(get($path)->{status}, 200, 'and none');

    answers('/api/books?select=id&id=gt.1', '[{"id":3}]', 'a range',
        'Range-Unit' => 'items', 'Range' => '1-1');
    is(get('/api/books?select=id&id=gt.1')->{headers}{'content-range'}, '0-18/*', 'all of it');
    is(get('/few/books?select=id&id=gt.1')->{headers}{'content-range'}, '0-1/*', 'another location, with a limit');
    is(get('/api/books?select=id&id=gt.1')->{headers}{'content-range'}, '0-18/*', 'all of it again');

    answers('/api/books?id=eq.1&select=title', '[{"title":"another"}]', 'another schema',
        'Accept-Profile' => 'other');
    answers('/api/books?id=eq.1&select=title', '[{"title":"book 1"}]', 'and the first');

    is($http->request('HEAD', $path)->{headers}{'content-range'}, '0-0/*', 'HEAD');
    is(get($path)->{status}, 200, 'and GET');

    my $legacy = 'books?select=id,s:shelves(name)&shelves.name=eq.low&id=eq.1';
    like(get("/api/$legacy")->{headers}{warning}, qr/shelves/, 'a warning') for 1, 2;
    is(get("/strict/$legacy")->{status}, 400, 'where there is none it is refused') for 1, 2;
};


subtest 'what was altered is planned anew' => sub {
    answers('/api/books?id=eq.1&select=id,price', '[{"id":1,"price":1.5}]', 'before');

    $database->dbh->do(q{alter table api.books alter price type text using 'much'});
    answers('/api/books?id=eq.1&select=id,price', '[{"id":1,"price":"much"}]', 'another type');

    $database->dbh->do('alter table api.books rename price to cost');
    $database->dbh->do('notify pgrst');

    ok(eval {
        wait_until { get('/api/books?id=eq.2&select=id,cost')->{status} == 200 } 10, 'the new name';
    }, 'the new name is known');

    is(get('/api/books?id=eq.1&select=id,price')->{status}, 400, 'the old one no more');

    $database->dbh->do('drop table other.books');
    $database->dbh->do(q{create view other.books as select 7 as id, 'a view'::text as title});
    $database->dbh->do('notify pgrst');

    ok(eval {
        wait_until {
            get('/api/books?id=eq.7&select=title', 'Accept-Profile' => 'other')->{body} eq '[{"title":"a view"}]';
        } 10, 'the view';
    }, 'a view in the place of a table');
};


$nginx->stop;
done_testing;
