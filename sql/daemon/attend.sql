-- Daemons share the partitions without talking to each other: each says every two
-- seconds that it is there, and who is to work a partition follows from who is
-- there.  Of n daemons, in the order of their names, number i (0, 1...) is to work
-- the partitions p with p mod n = i.
--
-- This decides who should work, never who may: that is the epoch's.  So nothing
-- here waits for a batch, or for another daemon.  All times are the database's.

create or replace function cqrs.attend(partition integer, daemon text, state text)
    returns text language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '1s'
as $$
declare
    now_at   constant timestamptz := clock_timestamp();
    gone     constant interval    := '10 s';     -- not seen for so long: it is not there
    patience constant interval    := '4 s';      -- who comes, and goes again, changes nothing
    heir     text;
begin
    if not exists (select from cqrs.partitions as p where p.partition = attend.partition) then
        raise exception using errcode = 'QS002',
            message = format('there is no partition %s', attend.partition);
    end if;

    -- a row of the future is left from before the clock was set

    delete from cqrs.attendance as a
     where a.partition = attend.partition
       and a.daemon in (select g.daemon
                          from cqrs.attendance as g
                         where g.partition = attend.partition
                           and g.seen_at not between now_at - gone and now_at + gone
                           for update skip locked);

    insert into cqrs.attendance as a (partition, daemon, state, since, came_at, seen_at)
    values (attend.partition, attend.daemon, attend.state, now_at, now_at, now_at)
    on conflict on constraint attendance_pkey do update
       set state = excluded.state, seen_at = excluded.seen_at,
           since = case when a.state = excluded.state then a.since else excluded.since end;

    if attend.state <> 'works' then
        return null;
    end if;

    select a.daemon into heir
      from (select c.*, count(*) over () as n, row_number() over (order by c.daemon collate "C") - 1 as i
              from cqrs.attendance as c
             where c.partition = attend.partition
               and c.seen_at between now_at - gone and now_at + gone
               and (c.daemon = attend.daemon or c.seen_at - c.came_at >= patience)) as a
     where a.i = attend.partition % a.n
       and a.daemon <> attend.daemon
       and a.state = 'waits'
       and a.since <= now_at - patience
       and a.seen_at > now_at - patience;

    return heir;
end $$;

comment on function cqrs.attend(integer, text, text) is
    'Says that a daemon is at a partition. Returns to one that works it which other is to work it and waits for that; null: none.';


create or replace function cqrs.leave(partition integer, daemon text)
    returns void language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '1s'
as $$
begin
    delete from cqrs.attendance as a
     where a.partition = leave.partition
       and a.daemon = leave.daemon;
end $$;

comment on function cqrs.leave(integer, text) is
    'Says that a daemon is no longer at a partition.';
