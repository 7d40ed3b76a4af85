create or replace function cqrs.read_events(partition integer, after bigint, max integer)
    returns table ("position" bigint, id uuid, stream text, version bigint, type text, reacts boolean,
                   routing_key text, traceparent text, body text)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    select e.position, e.id, e.stream, e.version, e.type,
           cqrs.reacts(cqrs.category_of(e.stream), e.type),
           cqrs.category_of(e.stream) || '.' || e.type,
           e.metadata->>'traceparent',
           case when cqrs.stored_as_is(e) then cqrs.event_envelope(cqrs.stored_event(e))
                                          else cqrs.event_envelope(cqrs.newest_event(e, null)) end
      from cqrs.events as e
     where e.partition = read_events.partition and e.position > read_events.after
     order by e.position
     limit least(read_events.max, 10000);
end $$;

comment on function cqrs.read_events(integer, bigint, integer) is
    'The events of a partition after a position, as RabbitMQ gets them; at most max of them, and 10,000. reacts: a '
    'process manager waits for it. What is personal stays sealed. When an event is visible all before it are, so nothing is skipped.';
