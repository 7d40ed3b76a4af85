-- The events are looked up one by one ("offset 0"): with any() the planner reads the
-- whole partition as long as it has no statistics of the table.

create or replace function cqrs.react(source_partition integer, positions bigint[])
    returns table ("position" bigint, id uuid, stream text, partition integer, type text, data text,
                   user_id text, claims text, correlation_id text, causation_id text, traceparent text)
    language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select e.position,
           cqrs.derive_id(e.id, 'command:' || c.number),
           c.stream,
           cqrs.partition_of(c.stream),
           c.type,
           coalesce(c.data, '{}')::text,
           coalesce(c.user_id, e.metadata->>'user_id'),
           coalesce(c.claims, e.metadata->'claims')::text,
           coalesce(c.correlation_id, e.metadata->>'correlation_id'),
           e.id::text,
           coalesce(c.traceparent, e.metadata->>'traceparent')
      from (select distinct unnest($2)) as p (position)
      cross join lateral (select e.* from cqrs.events as e
                           where e.partition = $1 and e.position = p.position offset 0) as e
      cross join lateral cqrs.dispatch_react(cqrs.category_of(e.stream), cqrs.opened_event(e)) with ordinality
           as c (id, stream, type, data, user_id, claims, expected_version, correlation_id,
                 causation_id, traceparent, issued_at, number)
     order by e.position, c.number
$$;

comment on function cqrs.react(integer, bigint[]) is
    'The commands that the process managers make of these events. Their ids derive from the events'', '
    'so asking twice gives the same commands.';
