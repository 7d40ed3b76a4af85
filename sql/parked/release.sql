-- How parked commands come back: the partition's owner reads those that were released
-- and executes them as any other batch, marked by a member "release".  Whether the turn
-- of each has come is seen there, in the transaction that takes it out of here.

create or replace function cqrs.releases_due(partition integer, daemon text)
    returns boolean language sql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
    select exists (select from cqrs.parked as q where q.partition = $1 and q.asked is not null)
       and not exists (select from cqrs.attendance as a
                        where a.partition = $1 and a.daemon <> $2
                          and a.seen_at > clock_timestamp() - interval '10 s'
                          and (a.state = 'works' or a.state = 'waits' and a.daemon collate "C" < $2))
$$;

comment on function cqrs.releases_due(integer, text) is
    'Whether somebody wants something done with parked commands, and this daemon is to do it: it works the partition, '
    'or nobody does and it is the first of those that wait.';


create or replace function cqrs.read_released(partition integer, max integer)
    returns table (id uuid, stream text, command text)
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
as $$
    select r.id, r.stream, (r.command || '{"release": true, "redelivered": true}')::text
      from (select distinct on (w.number) w.*
              from (select a.* from cqrs.parked as a
                     where a.partition = $1 and a.asked is not null
                     order by a.number limit $2) as a
             cross join lateral (select w.* from cqrs.parked as w
                                  where w.stream = a.stream and w.number >= a.number
                                    and (w.number = a.number or a.asked = 'retry')
                                  order by w.number limit $2) as w
             order by w.number
             limit $2) as r
     order by r.number
$$;

comment on function cqrs.read_released(integer, integer) is
    'The next parked commands that are to be executed or discarded, in order, as cqrs.execute takes them.';


-- Those of a stream that stand in the batch from its first one on, in order.  When the
-- first one has failed again it is not asked for any more, and none behind it is taken.

create or replace function cqrs.released_of(commands jsonb, out released uuid[], out discarded uuid[])
    language sql stable
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
as $$
    select coalesce(array_agg(r.id) filter (where r.follows or r.asked = 'discard'), '{}'),
           coalesce(array_agg(r.id) filter (where r.asked = 'discard'), '{}')
      from (select f.id, f.asked,
                   bool_and(f.before = f.earlier and (f.earlier > 0 or f.asked is not null))
                       over (partition by f.stream order by f.n) as follows
              from (select q.id, q.stream, q.asked, c.n,
                           row_number() over (partition by q.stream order by c.n) - 1 as earlier,
                           (select count(*) from cqrs.parked as b
                             where b.stream = q.stream and b.number < q.number) as before
                      from jsonb_array_elements($1) with ordinality as c (command, n)
                      join cqrs.parked as q on q.id = (c.command->>'id')::uuid
                     where c.command ? 'release') as f) as r
$$;

comment on function cqrs.released_of(jsonb) is
    'Of a batch of released commands those whose turn has come, and of these those that are discarded.';


create or replace function cqrs.take_parked(outcomes cqrs.outcome[])
    returns void language plpgsql
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
as $$
declare
    ids     constant uuid[] := (select array_agg((o.command).id) from unnest(outcomes) as o where not o.duplicate);
    streams text[];
begin
    with taken as (
        delete from cqrs.parked as q where q.id = any (ids) returning q.stream
    )
    select array_agg(distinct t.stream) into streams from taken as t;

    delete from cqrs.inbox as i where i.id = any (ids);

    -- what only waited has nothing to wait for any more

    update cqrs.parked as q
       set asked = 'retry'
     where q.number in (select (select min(b.number) from cqrs.parked as b where b.stream = s.stream)
                          from unnest(streams) as s (stream))
       and q.code = 'stream-held' and q.asked is null;
end $$;

comment on function cqrs.take_parked(cqrs.outcome[]) is
    'Makes room for the final outcomes of parked commands: they are not parked any more, nor known in the inbox; and '
    'those that waited for them alone follow.';


create or replace function cqrs.keep_parked(id uuid, code text, message text)
    returns boolean language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
declare
    news constant boolean := (select (q.code, q.message) is distinct from (keep_parked.code, keep_parked.message)
                                from cqrs.parked as q where q.id = keep_parked.id);
begin
    update cqrs.parked as q
       set asked = null, code = keep_parked.code, message = keep_parked.message
     where q.id = keep_parked.id;

    update cqrs.inbox as i
       set code = keep_parked.code, message = keep_parked.message
     where i.id = keep_parked.id;

    return news;
end $$;

comment on function cqrs.keep_parked(uuid, text, text) is
    'A parked command that was released has failed again: it stays in its place. Returns whether the reason is another one.';
