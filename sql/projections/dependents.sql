-- What hangs on the tables of a projection: what must be made anew so that it reads
-- the new ones, and what can't be, which is refused before anything is built.

create or replace function cqrs.projection_oids(definition cqrs.projections)
    returns oid[] language sql stable set search_path = pg_catalog, pg_temp
as $$
    select array_agg(c.oid order by c.oid)
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
     where n.nspname = $1.schema and c.relname = any ($1.tables)
$$;

comment on function cqrs.projection_oids(cqrs.projections) is
    'The tables of a projection that there are now.';


create or replace function cqrs.projection_views(tables oid[])
    returns setof oid language sql stable set search_path = pg_catalog, pg_temp
as $$
    select distinct v.oid
      from pg_depend as d
      join pg_rewrite as r on r.oid = d.objid
      join pg_class as v on v.oid = r.ev_class
     where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
       and d.refobjid = any ($1) and v.oid <> all ($1) and v.relkind = 'v'
$$;

comment on function cqrs.projection_views(oid[]) is
    'The views that read these tables themselves.';


create or replace function cqrs.projection_followers(tables oid[], all_of_them boolean)
    returns text[] language sql stable set search_path = pg_catalog, pg_temp
as $$
    select array_agg(s.command order by s.turn, s.id)
      from (select 1 as turn, v.oid as id,
                   format('create or replace view %s%s as %s', v.oid::regclass,
                          coalesce(' with (' || array_to_string(v.reloptions, ', ') || ')', ''),
                          pg_get_viewdef(v.oid)) as command
              from cqrs.projection_views($1) as w (oid)
              join pg_class as v on v.oid = w.oid
            union all
            select distinct 2, d.objid, pg_get_functiondef(d.objid)
              from pg_depend as d
             where d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = any ($1)
            union all
            select 3, p.oid,
                   format('create policy %I on %s as %s for %s to %s', p.polname, p.polrelid::regclass,
                          case when p.polpermissive then 'permissive' else 'restrictive' end,
                          case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
                                        when 'd' then 'delete' else 'all' end,
                          (select string_agg(case r when 0 then 'public' else quote_ident(pg_get_userbyid(r)) end, ', ')
                             from unnest(p.polroles) as r))
                   || coalesce(' using (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
                   || coalesce(' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
              from pg_policy as p
             where p.polrelid = any ($1)
            union all
            select 4, c.oid, format('alter table %s %s row level security', c.oid::regclass, said)
              from pg_class as c
             cross join lateral unnest(array[case when c.relrowsecurity then 'enable' end,
                                             case when c.relforcerowsecurity then 'force' end]) as said
             where c.oid = any ($1) and said is not null
            union all
            select 5, t.oid, pg_get_triggerdef(t.oid)
              from pg_trigger as t
             where t.tgrelid = any ($1) and not t.tgisinternal
            union all
            select 6, t.oid, format('alter table %s %s trigger %I', t.tgrelid::regclass,
                                    case t.tgenabled when 'D' then 'disable' when 'R' then 'enable replica'
                                                     else 'enable always' end, t.tgname)
              from pg_trigger as t
             where t.tgrelid = any ($1) and not t.tgisinternal and t.tgenabled <> 'O') as s
     where $2 or s.turn <= 2
$$;

comment on function cqrs.projection_followers(oid[], boolean) is
    'The statements that make anew what hangs on these tables: views, functions with a bound body, and if '
    'all_of_them policies and triggers, too. To be asked for before the tables are replaced, and run afterwards.';


create or replace function cqrs.projection_obstacles(definition cqrs.projections)
    returns setof text language sql stable set search_path = pg_catalog, pg_temp
as $$
    with mine as (
        select t.oid, t.oid::regclass::text as name
          from unnest(cqrs.projection_oids($1)) as t (oid)
    ), hanging as (
        -- by way of a table, or of the type of its rows

        select m.name, d.classid, d.objid, d.objsubid, d.deptype, d.refclassid
          from mine as m join pg_depend as d on d.refclassid = 'pg_class'::regclass and d.refobjid = m.oid
        union all
        select m.name, d.classid, d.objid, d.objsubid, d.deptype, d.refclassid
          from mine as m
          join pg_class as c on c.oid = m.oid
          join pg_type as y on y.oid in (c.reltype, (select a.typarray from pg_type as a where a.oid = c.reltype))
          join pg_depend as d on d.refclassid = 'pg_type'::regclass and d.refobjid = y.oid
         where d.deptype <> 'i'
    )
    select distinct format('%s hangs on table %s and can''t be made anew',
                           pg_describe_object(h.classid, h.objid, h.objsubid), h.name)
      from hanging as h
     where not case
           when h.refclassid = 'pg_type'::regclass then false
           when h.classid = 'pg_rewrite'::regclass then
               (select v.relkind = 'v' from pg_rewrite as r join pg_class as v on v.oid = r.ev_class where r.oid = h.objid)
           when h.classid = 'pg_proc'::regclass then
               (select p.prosqlbody is not null from pg_proc as p where p.oid = h.objid)
           when h.classid = 'pg_policy'::regclass then
               (select p.polrelid in (select m.oid from mine as m) from pg_policy as p where p.oid = h.objid)
           when h.classid = 'pg_trigger'::regclass then
               (select t.tgrelid in (select m.oid from mine as m) from pg_trigger as t where t.oid = h.objid)
           when h.classid = 'pg_constraint'::regclass then
               (select k.contype <> 'f' or (k.conrelid in (select m.oid from mine as m) and $1.setup is not null)
                  from pg_constraint as k where k.oid = h.objid)
           when h.classid = 'pg_class'::regclass then
               (select c.relkind in ('i', 't') or (c.relkind = 'S' and (h.deptype = 'i' or $1.setup is not null))
                  from pg_class as c where c.oid = h.objid)
           when h.classid = 'pg_type'::regclass then h.deptype = 'i'
           else h.classid in ('pg_attrdef'::regclass, 'pg_statistic_ext'::regclass) end
$$;

comment on function cqrs.projection_obstacles(cqrs.projections) is
    'Sentences on what hangs on the tables of a projection and could not be carried over to new ones.';
