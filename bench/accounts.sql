-- What the queries are measured on: 10,000 accounts in 100 branches, in a schema
-- of ten tables and in one of a thousand.

create schema api;

create table api.accounts (
    id       text     primary key,
    owner    text     not null,
    balance  bigint   not null,
    opened   date     not null,
    branch   integer  not null
);

insert into api.accounts
select format('account-%s', n), format('user-%s', n % 97), n * 37 % 10007,
       date '2026-01-01' + n % 365, n % 100 + 1
  from pg_catalog.generate_series(1, 10000) n;

create index on api.accounts (branch, id);

create schema wide;
create table wide.accounts (like api.accounts including all);
insert into wide.accounts select * from api.accounts;

do $$
begin
    for n in 1 .. 999 loop
        execute format('create table wide.other_%s (id bigint primary key, name text, before bigint)', n);
        if n < 10 then
            execute format('create table api.other_%s (id bigint primary key, name text, before bigint)', n);
        end if;
        if n > 1 then
            execute format('alter table wide.other_%s add foreign key (before) references wide.other_%s', n, n - 1);
        end if;
    end loop;
end $$;

vacuum analyze api.accounts, wide.accounts;
