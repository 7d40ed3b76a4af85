create or replace function cqrs.opens(key bytea, sealed bytea)
    returns boolean language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
begin
    return cqrs.open_with(key, sealed) is not null;
exception when others then
    return false;
end $$;

comment on function cqrs.opens(bytea, bytea) is
    'Whether this is the key that it was sealed with, and nothing was changed since.';


create or replace function cqrs.verify_personal()
    returns cqrs.verification language sql stable set search_path = pg_catalog, pg_temp
as $$
    with sealed as (
        select e.partition, e.position, e.subject, s.key, e.personal, cqrs.generation_of(e.personal) as generation,
               coalesce(s.generation, 0) as newest
          from cqrs.events as e
          left join cqrs.subjects as s on s.subject = e.subject
         where e.personal is not null
    ), looked as (
        select s.partition, s.position,
               s.newest > s.generation or (s.newest = s.generation and s.key is null) as erased,
               case when s.newest < s.generation then 'is sealed with a key that is not there'
                    when s.newest = s.generation and s.key is not null and not cqrs.opens(s.key, s.personal) then
                         'is not opened by the key of its subject' end as said
          from sealed as s
    )
    select row((select cqrs.count_of(count(*), 'sealed event', 'sealed events') || ', ' || count(*) filter (where l.erased)
                       || ' of them erased' from looked as l),
               (select count(*) from looked as l where l.said is not null),
               (select array_agg(format('position %s of partition %s %s', f.position, f.partition, f.said)
                                 order by f.partition, f.position)
                  from (select * from looked as l where l.said is not null order by l.partition, l.position limit 3) as f),
               null)::cqrs.verification
$$;

comment on function cqrs.verify_personal() is
    'Can all be opened that is sealed, unless it was erased?';
