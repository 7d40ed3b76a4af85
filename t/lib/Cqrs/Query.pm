package Cqrs::Query;

# A database with tables to be read by cqrs_query, for tests.
#
#   my $database = Cqrs::Query->database;            # on the shared servers
#   my $database = Cqrs::Query->database($services); # on those
#
# Importing it with ":testnginx" also sets $TEST_NGINX_POSTGRES to the
# connection string of a user who may read most of it.

use strict;
use utf8;
use warnings;

use Cqrs::Services;

use constant USER => 'query_reader';

my $kept;

sub import {
    my ($class, @tags) = @_;

    return unless grep { $_ eq ':testnginx' } @tags;
    return if $^C;                  # perl -c starts no servers

    $kept = $class->database;
    $ENV{TEST_NGINX_POSTGRES} = $kept->conninfo(USER);
}

sub database {
    my ($class, $services) = @_;

    my $database = ($services || Cqrs::Services->get)->database(install => 0);
    my $dbh = $database->dbh;

    $dbh->do('set client_min_messages = warning');
    $dbh->do($_) for _role(), _schema();

    return $database;
}

# Two files may make it at the same time.
sub _role {
    return sprintf <<'SQL', USER, USER;
do $$
begin
    if not exists (select from pg_roles where rolname = '%s') then
        create role %s login;
    end if;
exception when duplicate_object or unique_violation then null;
end $$
SQL
}

sub _schema {
    my $user = USER;

    return <<"SQL";
create schema api;
create schema other;

create table api.items (
    id       bigint primary key,
    name     text,
    price    numeric(10, 2),
    done     boolean,
    created  date,
    tags     text[],
    data     jsonb
);

insert into api.items values
    (1, 'apple',          1.50, true,  '2024-01-31', '{red,green}', '{"a": [1, "x"]}'),
    (2, 'pear',           2.25, false, '2024-02-29', '{green}',     'null'),
    (3, 'Apricot, "dry"', 10,   null,  null,         '{}',          '{}'),
    (4, '100%',           0,    false, '1999-12-31', null,          null),
    (5, null,             null, null,  null,         null,          null);

create table api."Odd Table" (
    "a ""b"".c"  text,
    "select"     integer,
    "with-dash"  integer,
    "Größe"      integer,
    "_t"         integer,
    "*x*"        integer
);

insert into api."Odd Table" values ('it''s', 1, 2, 3, 4, 5);

create view api.cheap as select id, name from api.items where price < 2;
create materialized view api.frozen as select id from api.items;

create table api.parted (id integer, what text) partition by list (what);
create table api.parted_a partition of api.parted for values in ('a');
insert into api.parted values (1, 'a');

create table api.nothing ();
create table api.numbers as select n from generate_series(1, 1000) n;

create table api.secret (id integer);
create view api.broken as select 1 / (id - 1) as id from api.items;

create function api.nap(seconds double precision) returns boolean
    language sql volatile as 'select pg_catalog.pg_sleep(seconds) is not null';

create view api.slow as select api.nap(20) as slept;
create view api.brief as select api.nap(0.2) as slept;
create view api.large as select repeat('x', 20000000) as text;

create function api.write() returns integer
    language sql volatile security definer
    as 'insert into api.numbers values (0) returning n';

create view api.writes as select api.write() as n;

create table other.items (id bigint, what text);
insert into other.items values (1, 'other');
create table other.notes (note text);

grant usage on schema api, other to $user;
grant select on all tables in schema api, other to $user;
grant execute on all functions in schema api to $user;
revoke select on api.secret from $user;
SQL
}

1;
