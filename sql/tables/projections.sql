create table if not exists cqrs.projections (
    name        text    not null check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    stage       text    not null check (stage in ('current', 'waiting', 'building')),
    build       integer not null check (build >= 0),
    revision    integer not null check (revision > 0),
    project     text    not null,
    schema      text,
    tables      text[],
    categories  text[]  not null,
    mode        text    not null check (mode in ('inline', 'async')),
    setup       text,
    fingerprint text,
    primary key (name, stage)
);

comment on table  cqrs.projections             is
    'The projections: which function fills which read tables with the events of which categories.';
comment on column cqrs.projections.stage       is
    'current: its tables are read; waiting: a newer revision that "cqrs-consumer rebuild" will build; '
    'building: what is being built now.';
comment on column cqrs.projections.build       is 'Counts how often its tables were built; 0 while it waits.';
comment on column cqrs.projections.revision    is 'Of the definition; whoever registers it chooses the number.';
comment on column cqrs.projections.schema      is 'Of its tables; null if it names none.';
comment on column cqrs.projections.tables      is 'Its tables, without their schema; null: it can''t be rebuilt or verified.';
comment on column cqrs.projections.mode        is
    'inline: in the transaction that appends; async: by the daemon, a moment later.';
comment on column cqrs.projections.setup       is 'The function that makes its tables; null: they are made like those there are.';
comment on column cqrs.projections.fingerprint is 'While it is being built: of the function that builds it.';


create table if not exists cqrs.projection_checkpoints (
    name       text        not null,
    build      integer     not null,
    partition  integer     not null,
    position   bigint      not null default 0,
    code       text,
    message    text,
    failed_at  timestamptz,
    updated_at timestamptz not null,
    primary key (name, build, partition)
) with (fillfactor = 50);

comment on table  cqrs.projection_checkpoints          is
    'How far each asynchronous projection, and each that is being built, is in each partition. Moved in the '
    'transaction that changes its tables: each event is in them exactly once.';
comment on column cqrs.projection_checkpoints.position is 'The last event that is in its tables; 0: none.';
comment on column cqrs.projection_checkpoints.code     is 'The SQLSTATE if the next events could not be projected; else null.';
