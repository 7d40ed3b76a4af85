create table if not exists cqrs.streams (
    stream    text    primary key,
    partition integer not null,
    version   bigint  not null check (version > 0),
    folded    bigint  not null check (folded between 0 and version),
    state     jsonb
) with (fillfactor = 70);

comment on table  cqrs.streams         is 'The head of each stream that has events.';
comment on column cqrs.streams.version is 'The version of its last event.';
comment on column cqrs.streams.folded  is
    'How many of its events are in state: all, or none when it is to be folded anew; see cqrs.refold.';
comment on column cqrs.streams.state   is 'Its events folded by evolve.';
