create table if not exists cqrs.streams (
    stream    text    primary key,
    partition integer not null,
    version   bigint  not null check (version > 0),
    state     jsonb
) with (fillfactor = 70);

comment on table  cqrs.streams         is 'The head of each stream that has events.';
comment on column cqrs.streams.version is 'The version of its last event.';
comment on column cqrs.streams.state   is 'All its events folded by evolve.';
