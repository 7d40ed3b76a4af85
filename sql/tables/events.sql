create table if not exists cqrs.events (
    partition   integer     not null,
    position    bigint      not null check (position > 0),
    id          uuid        not null,
    stream      text        not null,
    version     bigint      not null check (version > 0),
    type        text        not null check (octet_length(type) between 1 and 100),
    revision    integer     not null check (revision > 0),
    data        jsonb       not null,
    metadata    jsonb       not null,
    recorded_at timestamptz not null,
    subject     text,
    personal    bytea,
    primary key (partition, position)
) partition by list (partition);

comment on table  cqrs.events          is
    'What happened. Rows are added, never changed. Each partition is a table of its own, cut into parts by position.';
comment on column cqrs.events.position is 'Place in the partition: 1, 2, 3... in commit order, without gaps.';
comment on column cqrs.events.id       is 'Derived from the command''s id: cqrs.derive_id(command, ''event:n'').';
comment on column cqrs.events.version  is 'Place in the stream: 1, 2, 3... without gaps.';
comment on column cqrs.events.revision is 'Of the shape of its data; see upcast in cqrs.register.';
comment on column cqrs.events.metadata is
    'command_id, correlation_id, causation_id, user_id, claims, traceparent; what is null is absent.';
comment on column cqrs.events.subject  is 'Whom personal is about; null: nobody.';
comment on column cqrs.events.personal is 'Sealed with the subject''s key.';


create or replace function cqrs.refuse_change()
    returns trigger language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using errcode = '42501',
        message = 'events are never changed or removed';
end $$;

comment on function cqrs.refuse_change() is 'Trigger of cqrs.events and of its parts: the log only grows.';

create or replace trigger refuse_change
    before update or delete or truncate on cqrs.events
    for each statement execute function cqrs.refuse_change();
