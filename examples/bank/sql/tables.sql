create schema if not exists bank;

comment on schema bank is 'A bank: the example of ngx_cqrs.';


create table if not exists bank.accounts (
    id         text        primary key,
    owner      text        not null,
    name       text        not null,
    balance    numeric     not null,
    version    bigint      not null,
    opened_at  timestamptz not null,
    updated_at timestamptz not null
) with (fillfactor = 70);

comment on table  bank.accounts         is 'Projection: the accounts as they are now.';
comment on column bank.accounts.version is
    'Of the last event that is in it; an older one changes nothing, so a projection may be repeated.';


create table if not exists bank.transactions (
    account      text        not null,
    version      bigint      not null,
    at           timestamptz not null,
    type         text        not null,
    amount       numeric     not null,
    balance      numeric     not null,
    counterparty text,
    reason       text,
    primary key (account, version)
);

comment on table  bank.transactions              is 'Projection: the statement of each account, a line per event.';
comment on column bank.transactions.amount       is 'What it did to the balance: negative when money left.';
comment on column bank.transactions.balance      is 'The balance afterwards.';
comment on column bank.transactions.counterparty is 'The other account of a transfer.';
comment on column bank.transactions.reason       is 'Why a transfer came back.';
