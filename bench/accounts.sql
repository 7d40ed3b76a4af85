-- What the queries are measured on: 10,000 accounts in 100 branches.

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

vacuum analyze api.accounts;
