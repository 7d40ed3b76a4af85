create schema if not exists api;

comment on schema api is 'What the bank shows through cqrs_query.';

create or replace view api.accounts as
select id, owner, name, balance, version, opened_at, updated_at from bank.accounts;

create or replace view api.payees as
select id, owner, name from bank.accounts;

create or replace view api.transactions as
select account, version, at, type, amount, balance, counterparty, reason from bank.transactions;

comment on view api.accounts     is 'The accounts as they are now. A demo: everybody sees all of them.';
comment on view api.payees       is 'To whom money can be sent.';
comment on view api.transactions is 'The statement of each account; version is the order of its lines.';

grant usage on schema api to cqrs_reader;
grant select on api.accounts, api.payees, api.transactions to cqrs_reader;
