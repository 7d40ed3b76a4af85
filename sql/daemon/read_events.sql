create or replace function cqrs.read_events(partition integer, after bigint, max integer)
    returns table ("position" bigint, id uuid, stream text, version bigint, type text,
                   routing_key text, traceparent text, body text)
    language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select e.position, e.id, e.stream, e.version, e.type,
           cqrs.category_of(e.stream) || '.' || e.type,
           e.metadata->>'traceparent',
           cqrs.event_envelope(row(e.*)::cqrs.event, (select value from cqrs.settings where name = 'source'))
      from cqrs.events as e
     where e.partition = $1 and e.position > $2
     order by e.position
     limit $3
$$;

comment on function cqrs.read_events(integer, bigint, integer) is
    'The events of a partition after a position, at most max of them, as RabbitMQ gets them. '
    'A visible event''s predecessors are visible too, so nothing is skipped.';
