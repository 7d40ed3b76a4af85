-- While somebody holds an old snapshot nothing of a row is removed: the index has an
-- entry for each page that holds a version of it, and a lookup goes through all of
-- them, from the oldest on.  Here it begins at the newest: so a stream that is written
-- to all the time costs the same, however long the snapshot stays.

-- It has no "set", so that it becomes part of the query that calls it.

create or replace function cqrs.stream_head(stream text)
    returns table (place tid, version bigint, folded bigint, state jsonb)
    language sql stable
as $$
    select s.ctid, s.version, s.folded, s.state
      from cqrs.streams as s
     where s.stream >= $1 and s.stream <= $1
     order by s.stream desc
     limit 1
$$;

comment on function cqrs.stream_head(text) is
    'The head of a stream; no row if it has no events.';


create or replace function cqrs.move_heads(partition integer, streams text[], heads bigint[], folds jsonb[])
    returns void language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
as $$
begin
    with moved as (
        update cqrs.streams as s
           set version = h.head, folded = h.head, state = h.fold
          from unnest(streams, heads, folds) as h (stream, head, fold)
         cross join lateral cqrs.stream_head(h.stream) as k
         where s.ctid = k.place
        returning h.stream
    )
    insert into cqrs.streams as s (stream, partition, version, folded, state)
    select h.stream, move_heads.partition, h.head, h.head, h.fold
      from unnest(streams, heads, folds) as h (stream, head, fold)
     where not exists (select from moved as m where m.stream = h.stream)

    -- somebody may have written to a head meanwhile, who is not an owner

    on conflict on constraint streams_pkey do update
       set version = excluded.version, folded = excluded.folded, state = excluded.state;
end $$;

comment on function cqrs.move_heads(integer, text[], bigint[], jsonb[]) is
    'Writes the heads of streams of one partition: version and state.';
