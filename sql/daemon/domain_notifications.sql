create or replace function cqrs.domain_notifications(events cqrs.event[], ordinals integer[], said_at text)
    returns table (ordinal integer, n integer, channel text, body text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    select d.ordinal, d.n, d.channel,
           cqrs.envelope(cqrs.derive_id(d.command_id, 'notification:' || d.n), d.type, d.stream, said_at, d.data, '')
      from (select e.ordinal, (e.metadata->>'command_id')::uuid as command_id, e.stream,
                   n.channel, n.type, coalesce(n.data, '{}')::text as data,
                   1 + row_number() over (partition by e.ordinal order by e.position)::integer as n
              from unnest(events, ordinals)
                   as e (partition, position, id, stream, version, type, revision, data, metadata,
                         recorded_at, subject, personal, ordinal)
             cross join lateral cqrs.dispatch_notify(cqrs.category_of(e.stream),
                   row(e.partition, e.position, e.id, e.stream, e.version, e.type, e.revision, e.data,
                       e.metadata, e.recorded_at, e.subject, e.personal)::cqrs.event) as n
             where cqrs.notifies(cqrs.category_of(e.stream), e.type) and n.channel is not null) as d
     order by 1, 2;
end $$;

comment on function cqrs.domain_notifications(cqrs.event[], integer[], text) is
    'What the domain tells about the events of a batch. ordinals: to which command each belongs; n: which of that '
    'command''s notifications it is, 1 being its outcome.';
