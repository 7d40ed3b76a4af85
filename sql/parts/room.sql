create or replace function cqrs.room_for_events(partition integer, count bigint)
    returns bigint language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    head record;
begin
    select * into head from cqrs.events_head(partition);

    while head.last + count >= head.beyond loop
        perform cqrs.make_part('events', partition);
        select h.beyond into head.beyond from cqrs.events_head(partition) as h;
    end loop;

    return head.last;
end $$;

comment on function cqrs.room_for_events(integer, bigint) is
    'The position of the last event of a partition, 0: there is none; and there are parts for so many more. The '
    'caller owns the partition.';


create or replace function cqrs.room_for_notifications(partition integer, count bigint)
    returns bigint language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    head record;
begin
    select * into head from cqrs.notifications_head(partition);

    while head.last + count >= head.beyond loop
        perform cqrs.make_part('notifications', partition);
        select h.beyond into head.beyond from cqrs.notifications_head(partition) as h;
    end loop;

    return head.last;
end $$;

comment on function cqrs.room_for_notifications(integer, bigint) is
    'The sequence of the last notification of a partition, 0: there is none; and there are parts for so many more. '
    'The caller owns the partition.';
