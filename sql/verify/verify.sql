-- The checks in their order.  "cqrs-consumer verify" asks for the list, and then for
-- one after the other, in one REPEATABLE READ transaction that it rolls back.

create or replace function cqrs.verify_list()
    returns table (what text, subject text)
    language sql stable set search_path = pg_catalog, pg_temp
as $$
    select l.what, l.subject
      from (select c.n, c.what, null as subject
              from unnest('{positions,versions,streams}'::text[]) with ordinality as c (what, n)
            union all
            select 4, 'states', s.category
              from (select distinct cqrs.category_of(s.stream) as category from cqrs.streams as s
                    union
                    select c.category from cqrs.categories as c) as s
            union all
            select 4 + c.n, c.what, null
              from unnest('{outcomes,parked,notifications,checkpoints,personal}'::text[]) with ordinality as c (what, n)
            union all
            select 10, 'projection', p.name from cqrs.projections as p where p.stage = 'current') as l
     order by l.n, l.subject
$$;

comment on function cqrs.verify_list() is
    'The checks that there are to make: see cqrs.verify.';


create or replace function cqrs.verify(what text, subject text default null)
    returns setof cqrs.verification language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    result cqrs.verification;
begin
    result := case what
        when 'positions'     then cqrs.verify_positions()
        when 'versions'      then cqrs.verify_versions()
        when 'streams'       then cqrs.verify_streams()
        when 'states'        then cqrs.verify_states(subject)
        when 'outcomes'      then cqrs.verify_outcomes()
        when 'parked'        then cqrs.verify_parked()
        when 'notifications' then cqrs.verify_notifications()
        when 'checkpoints'   then cqrs.verify_checkpoints()
        when 'personal'      then cqrs.verify_personal()
        when 'projection'    then cqrs.verify_projection(subject) end;

    return next result;
exception
    when others then
        result := row(null, 1, array[format('the check fails, %s "%s"', sqlstate, sqlerrm)], null);
        return next result;
end $$;

comment on function cqrs.verify(text, text) is
    'Makes one check of the store. What raises is wrong, too.';
