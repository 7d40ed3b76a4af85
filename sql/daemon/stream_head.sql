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


create or replace function cqrs.head_places(streams text[])
    returns tid[] language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
as $$
begin
    return array(select h.place
                   from unnest(streams) as s (stream)
                  cross join lateral cqrs.stream_head(s.stream) as h);
end $$;

comment on function cqrs.head_places(text[]) is
    'Where the heads of these streams stand now; those that have none are left out.';


-- Whose place is known is changed in one scan of places: a scan for each row asks the
-- system for the size of the table each time, and takes twice as long.

create or replace function cqrs.change_heads(places tid[], streams text[], heads bigint[], folds jsonb[])
    returns bigint language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_indexscan = off
    set enable_bitmapscan = off
    set enable_nestloop = off
    set enable_mergejoin = off
    set enable_hashjoin = on
as $$
declare
    changed bigint;
begin
    update cqrs.streams as s
       set version = h.head, folded = h.head, state = h.fold
      from unnest(streams, heads, folds) as h (stream, head, fold)
     where s.ctid = any (places) and s.stream = h.stream;

    get diagnostics changed = row_count;

    return changed;
end $$;

comment on function cqrs.change_heads(tid[], text[], bigint[], jsonb[]) is
    'Writes those heads of streams that stand at these places, and returns their number.';


create or replace function cqrs.move_heads(partition integer, places tid[], streams text[], heads bigint[], folds jsonb[])
    returns void language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
as $$
begin
    if cqrs.change_heads(places, streams, heads, folds) = cardinality(streams) then
        return;
    end if;

    -- the new ones; and somebody may have written to a head meanwhile, who is not an owner

    insert into cqrs.streams as s (stream, partition, version, folded, state)
    select h.stream, move_heads.partition, h.head, h.head, h.fold
      from unnest(streams, heads, folds) as h (stream, head, fold)
      left join lateral cqrs.stream_head(h.stream) as k on true
     where (k.version, k.folded) is distinct from (h.head, h.head)
    on conflict on constraint streams_pkey do update
       set version = excluded.version, folded = excluded.folded, state = excluded.state;
end $$;

comment on function cqrs.move_heads(integer, tid[], text[], bigint[], jsonb[]) is
    'Writes the heads of streams of one partition: version and state. places: where they stand, as far as there are '
    'any; others may be among them.';
