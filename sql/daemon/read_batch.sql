-- The plan is made once and kept, maybe since the tables were empty: so each lookup
-- must go by its index, however small a table was then.

create or replace function cqrs.read_batch(commands jsonb)
    returns table (command cqrs.command, stream text, partition integer, category text,
                   first integer, duplicate boolean, tell boolean, status text, decision cqrs.decision,
                   outcome_version bigint, place integer, version bigint, state jsonb,
                   ordinal integer, handled boolean, folded bigint)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    partitions constant bigint := (select count(*) from cqrs.partitions);
    released   uuid[] := '{}';     -- parked, and to be executed now
    discarded  uuid[] := '{}';     -- of these, what is only to have an end
begin
    if commands->0 ? 'release' then
        select r.released, r.discarded into released, discarded from cqrs.released_of(commands) as r;
    end if;

    return query
    select c.command,
           (c.command).stream,
           (cqrs.stream_number((c.command).stream) % partitions)::integer,
           d.category,
           c.first,
           i.id is not null or c.first < c.n,
           (i.id is null and c.first = c.n) or (c.redelivered is not true and (c.command).causation_id is null),
           case when i.id is not null then i.status
                when r.code = 'stream-held' then 'parked'
                when r.code is not null then 'rejected' end,
           case when i.id is not null then row(null, i.code, i.message, i.detail)::cqrs.decision
                when r.code is not null then cqrs.reject(r.code, r.message) end,
           i.version,
           c.place,
           coalesce(s.version, 0),
           case when s.folded < s.version and d.evolve is not null then cqrs.fold((c.command).stream)
                else s.state end,
           c.n::integer,
           d.category is not null and d.decide is null,
           coalesce(s.folded, 0)
      from (select row(j.id, j.stream, j.type, j.data, j."user", j.claims, j.expected_version,
                       coalesce(j.correlation_id, j.id::text), j.causation_id, j.traceparent,
                       j.issued_at)::cqrs.command as command,
                   j.redelivered,
                   j.n,
                   min(j.n) over (partition by j.id)::integer as first,
                   dense_rank() over (order by j.stream collate "C")::integer as place
              from rows from (jsonb_to_recordset(commands) as (
                       id uuid, stream text, type text, data jsonb, "user" text, claims jsonb,
                       expected_version text, correlation_id text, causation_id text,
                       traceparent text, issued_at timestamptz, redelivered boolean))
                   with ordinality as j (id, stream, type, data, "user", claims, expected_version,
                       correlation_id, causation_id, traceparent, issued_at, redelivered, n)) as c
      left join cqrs.inbox as i on i.id = (c.command).id and i.id <> all (released)
      left join lateral cqrs.stream_head((c.command).stream) as s on true
      left join cqrs.categories as d on d.category = cqrs.category_of((c.command).stream)
      left join lateral (select q.id from cqrs.parked as q
                          where q.stream = (c.command).stream and (c.command).id <> all (released) limit 1) as p on true
     cross join lateral (select cqrs.invalid_command(c.command) as reason offset 0) as v
     cross join lateral (
           select case when (c.command).id = any (discarded) then 'discarded'
                       when v.reason is not null then 'invalid-command'
                       when d.category is null   then 'unknown-category'
                       when p.id is not null     then 'stream-held' end as code,
                  case when (c.command).id = any (discarded) then 'It could not be carried out, and was given up.'
                       when v.reason is not null then v.reason
                       when d.category is null   then format('There is nothing called %s here.',
                                                             cqrs.category_of((c.command).stream))
                       when p.id is not null     then 'An earlier command could not be carried out yet; '
                                                      'this one waits behind it.' end as message) as r
     order by c.n;
end $$;

comment on function cqrs.read_batch(jsonb) is
    'The commands of a batch in order, and what can be said of each before it is decided: its outcome if it has one '
    'already or is refused by the store, and the head of its stream. A command with the member release is one that is '
    'parked: it has no outcome when its turn has come. handled: a handler in C decides it, and folds '
    'what is not folded.';
