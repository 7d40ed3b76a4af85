create table if not exists cqrs.streams (
    stream    text    primary key,
    partition integer not null references cqrs.partitions,
    version   bigint  not null,
    state     jsonb,
    held      text
) with (fillfactor = 70);

comment on table  cqrs.streams       is 'The head of each stream.';
comment on column cqrs.streams.state is 'The fold of all its events by evolve.';
comment on column cqrs.streams.held  is 'The parked command for which the stream waits; null: it flows.';
