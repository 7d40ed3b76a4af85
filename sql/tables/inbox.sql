create table if not exists cqrs.inbox (
    id          uuid        not null,
    stream      text        not null,
    type        text        not null,
    status      text        not null check (status in ('completed', 'rejected', 'parked')),
    version     bigint,
    code        text,
    message     text,
    detail      jsonb,
    recorded_at timestamptz not null
) partition by range (recorded_at);

comment on table  cqrs.inbox         is
    'Every command that was taken, with its outcome, which the same id gets again. A part for each month.';
comment on column cqrs.inbox.id      is 'Unique in each part; and each part is asked before one is added.';
comment on column cqrs.inbox.version is 'Of the stream, after the command; null if it was not looked at.';
comment on column cqrs.inbox.code    is 'Why it was rejected or parked; null if it completed.';
