-- One part at a time: each is locked for a moment only.  A part of the notifications
-- goes when all of it is old and was handed to Redis; one of the inbox, when all of it
-- is old and nothing of it is still parked.

create or replace function cqrs.clean(inbox_days integer, notification_days integer)
    returns text language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
    set lock_timeout = '2s'
as $$
declare
    part   record;
    target text;
begin
    lock table cqrs.parts, cqrs.inbox_parts in share row exclusive mode;

    if notification_days > 0 then
        for part in
            select distinct on (p.partition) p.partition, p.number, p.beyond
              from cqrs.parts as p
              join cqrs.checkpoints as c
                on c.sink = 'redis' and c.partition = p.partition and c.position >= p.beyond - 1
             where p.relation = 'notifications'
               and exists (select from cqrs.parts as q
                            where q.relation = p.relation and q.partition = p.partition and q.number > p.number)
             order by p.partition, p.number
        loop
            if (select n.recorded_at from cqrs.notifications as n
                 where n.partition = part.partition and n.sequence = part.beyond - 1)
               < now() - make_interval(days => notification_days)
            then
                target := cqrs.detach_part('notifications', part.partition, part.number);
                execute format('drop table %s', target);
                return target;
            end if;
        end loop;
    end if;

    if inbox_days > 0 then
        select p.month, format('inbox_%s', to_char(p.month, 'YYYY_MM')) as name
          into part
          from cqrs.inbox_parts as p
         where p.month + interval '1 month' <= now() - make_interval(days => inbox_days)
           and exists (select from cqrs.inbox_parts as q where q.month > p.month)
         order by p.month
         limit 1;

        if found and not exists (select from cqrs.parked as k
                                   join cqrs.inbox as i on i.id = k.id
                                  where i.recorded_at < part.month + interval '1 month')
        then
            execute format('alter table cqrs.inbox detach partition cqrs.%I', part.name);
            execute format('drop table cqrs.%I', part.name);
            delete from cqrs.inbox_parts as p where p.month = part.month;
            perform cqrs.make_inbox_span();
            return format('cqrs.%I', part.name);
        end if;
    end if;

    return null;
end $$;

comment on function cqrs.clean(integer, integer) is
    'Drops one part whose rows are all older than so many days: of the notifications, if Redis has had them, or of '
    'the inbox, whose ids are then forgotten. 0: keep. Returns its name; null: there is none. 55P03 if it is in use '
    'for too long.';
