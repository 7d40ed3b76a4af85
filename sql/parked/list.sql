create or replace function cqrs.list_parked(id text)
    returns table (number bigint, id uuid, stream text, partition integer, status text, code text, message text,
                   parked_at timestamptz, behind bigint, command jsonb)
    language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select l.number, l.id, l.stream, l.partition,
           case when l.asked = 'discard'    then 'discarded'
                when l.first = 'retry'      then 'released'
                when l.code = 'stream-held' then 'waits'
                else 'failed' end,
           l.code, l.message, l.parked_at, l.behind, l.command
      from (select q.*, first_value(q.asked) over s as first,
                   count(*) over (partition by q.stream) - row_number() over s as behind
              from cqrs.parked as q
             where $1 is null or q.stream = (select p.stream from cqrs.parked as p where p.id = cqrs.parked_id($1))
            window s as (partition by q.stream order by q.number)) as l
     where $1 is null or l.id = cqrs.parked_id($1)
     order by l.number
$$;

comment on function cqrs.list_parked(text) is
    'The parked commands in the order in which they came, or the one of this id. status: failed, by itself; waits, '
    'behind one that failed; released or discarded, which is to be done. behind: how many of its stream follow it.';
