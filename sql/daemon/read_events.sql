create or replace function cqrs.read_events(partition integer, after bigint, max integer)
    returns table ("position" bigint, id uuid, stream text, version bigint, type text,
                   routing_key text, traceparent text, body text)
    language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select e.position, e.id, e.stream, e.version, e.type,
           cqrs.category_of(e.stream) || '.' || e.type,
           e.metadata->>'traceparent',
           cqrs.event_envelope(row(e.*)::cqrs.event)
      from cqrs.events as e
     where e.partition = $1 and e.position > $2
     order by e.position
     limit least($3, 10000)
$$;

comment on function cqrs.read_events(integer, bigint, integer) is
    'The events of a partition after a position, as RabbitMQ gets them; at most max of them, and 10,000. '
    'When an event is visible all before it are, so nothing is skipped.';
