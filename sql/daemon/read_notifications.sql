create or replace function cqrs.read_notifications(partition integer, after bigint, max integer)
    returns table (sequence bigint, channel text, body text)
    language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select n.sequence, n.channel, n.body
      from cqrs.notifications as n
     where n.partition = $1 and n.sequence > $2
     order by n.sequence
     limit least($3, 10000)
$$;

comment on function cqrs.read_notifications(integer, bigint, integer) is
    'The notifications of a partition after a sequence number; at most max of them, and 10,000.';
