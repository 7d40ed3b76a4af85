-- What somebody wants done with parked commands is written down here and done by the
-- partition's owner.  Its row is locked as a writer does it: so the first one of a
-- stream is the first one until we have committed.

create or replace function cqrs.parked_id(word text)
    returns uuid language sql immutable parallel safe
    return case when word ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then word::uuid end;

comment on function cqrs.parked_id(text) is
    'The id that a word is; null: it is none.';


create or replace function cqrs.release(what text)
    returns table (stream text, commands bigint)
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    wanted constant text := coalesce((select q.stream from cqrs.parked as q where q.id = cqrs.parked_id(what)), what);
begin
    perform from cqrs.partitions as p
      where wanted is null or p.partition = cqrs.partition_of(wanted)
      order by p.partition
        for no key update;

    update cqrs.parked as q
       set asked = 'retry'
     where (wanted is null or q.stream = wanted)
       and q.asked is null
       and not exists (select from cqrs.parked as b where b.stream = q.stream and b.number < q.number);

    return query
    select q.stream, count(*)
      from cqrs.parked as q
     where (wanted is null or q.stream = wanted) and q.asked is distinct from 'discard'
     group by q.stream
     order by min(q.number);
end $$;

comment on function cqrs.release(text) is
    'Has the parked commands of a stream executed, in order. what: the stream, or the id of one of its commands; null: '
    'all streams. Returns each such stream and how many of its commands are to follow.';


create or replace function cqrs.discard(id text)
    returns boolean language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform from cqrs.partitions as p
      where p.partition = (select q.partition from cqrs.parked as q where q.id = cqrs.parked_id(discard.id))
        for no key update;

    update cqrs.parked as q
       set asked = 'discard'
     where q.id = cqrs.parked_id(discard.id);

    return found;
end $$;

comment on function cqrs.discard(text) is
    'Has a parked command rejected as discarded. False if there is none of this id.';
