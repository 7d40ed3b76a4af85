-- Between which positions the log of a partition lies.  Old parts may have been
-- detached; the end is right for all that the caller can see.

create or replace function cqrs.log_begin(partition integer)
    returns bigint language sql stable set search_path = pg_catalog, pg_temp
as $$
    select coalesce(min(p.first), 1) from cqrs.parts as p where p.relation = 'events' and p.partition = $1
$$;

comment on function cqrs.log_begin(integer) is
    'The position at which the log of a partition begins: 1, unless old parts were detached.';


create or replace function cqrs.log_end(partition integer)
    returns bigint language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
    return (select h.last from cqrs.events_head(partition) as h);
end $$;

comment on function cqrs.log_end(integer) is
    'The position of the last event of a partition; 0: there is none.';
