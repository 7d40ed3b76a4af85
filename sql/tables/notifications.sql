create table if not exists cqrs.notifications (
    partition   integer     not null,
    sequence    bigint      not null check (sequence > 0),
    channel     text        not null,
    body        text        not null,
    recorded_at timestamptz not null,
    primary key (partition, sequence)
) partition by list (partition);

comment on table  cqrs.notifications          is
    'What users are to be told, in order; the daemon brings it to Redis. Each partition is a table of its own, cut '
    'into parts by sequence; old parts may go, see cqrs.clean.';
comment on column cqrs.notifications.sequence is 'Place in the partition: 1, 2, 3... in commit order, without gaps.';
comment on column cqrs.notifications.body     is 'CloudEvents 1.0 JSON, without the cursor.';
