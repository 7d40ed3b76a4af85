create or replace function cqrs.read_notifications(partition integer, after bigint, max integer)
    returns table (sequence bigint, channel text, body text)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    select n.sequence, n.channel, n.body
      from cqrs.notifications as n
     where n.partition = read_notifications.partition and n.sequence > read_notifications.after
     order by n.sequence
     limit least(read_notifications.max, 10000);
end $$;

comment on function cqrs.read_notifications(integer, bigint, integer) is
    'The notifications of a partition after a sequence number; at most max of them, and 10,000.';
