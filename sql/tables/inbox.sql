create table if not exists cqrs.inbox (
    id          uuid        primary key,
    stream      text        not null,
    type        text,
    status      text        not null check (status in ('completed', 'rejected', 'parked')),
    code        text,
    message     text,
    detail      jsonb,
    version     bigint,
    position    bigint,
    recorded_at timestamptz not null default clock_timestamp()
);

comment on table  cqrs.inbox          is 'Every command that was taken, with its outcome: the same id again gets the same answer.';
comment on column cqrs.inbox.version  is 'The version of the stream after the command; null if there was none.';
comment on column cqrs.inbox.position is 'The position of the last event it made; null if it made none.';
