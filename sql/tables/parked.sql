create table if not exists cqrs.parked (
    number    bigint      generated always as identity primary key,
    partition integer     not null,
    id        uuid        not null unique,
    stream    text        not null,
    command   jsonb       not null,
    code      text        not null,
    message   text        not null,
    parked_at timestamptz not null,
    asked     text        check (asked in ('retry', 'discard'))
);

create index if not exists parked_stream_number_idx on cqrs.parked (stream, number);

-- what waits for the partition's owner, which looks for it all the time

create index if not exists parked_asked_idx on cqrs.parked (partition, number) where asked is not null;

comment on table  cqrs.parked         is
    'Commands that failed by themselves, and those that wait behind them. A stream is held as long as it '
    'has a row here.';
comment on column cqrs.parked.number  is 'The order in which they came.';
comment on column cqrs.parked.command is 'The whole command, as cqrs.execute takes it.';
comment on column cqrs.parked.code    is 'The SQLSTATE of the failure, or stream-held for one that waits.';
comment on column cqrs.parked.asked   is
    'What the partition''s owner is to do with it: retry, the first of its stream, and then those behind it; or discard.';
