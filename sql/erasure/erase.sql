-- Nobody appends and nothing is projected while somebody is erased: what an append or a
-- projection has read with the key is written before, and is found here.  Locks are
-- taken in the order of a promotion.

create or replace function cqrs.erase(subject text, out streams bigint, out to_rebuild text[], out to_check text[])
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    touched  text[];      -- categories
    callee   text;
    building cqrs.projections;
begin
    perform cqrs.assert_read_committed();

    lock table cqrs.projections in share row exclusive mode;
    perform cqrs.lock_partitions();
    perform from cqrs.projection_checkpoints as c order by c.name, c.build, c.partition for update;

    if not exists (select from cqrs.subjects as s where s.subject = erase.subject) then
        raise exception using errcode = '42704',
            message = format('there is nothing personal of "%s" in this store, and never was', erase.subject);
    end if;

    update cqrs.subjects as s
       set key = null, erased_at = clock_timestamp()
     where s.subject = erase.subject and s.key is not null;

    -- what was derived: states, tables, tables that are being built, tables that were replaced

    update cqrs.streams as s
       set folded = 0, state = null
      from cqrs.subject_streams as t
     where t.subject = erase.subject and s.stream = t.stream;

    get diagnostics streams = row_count;

    touched := array(select distinct cqrs.category_of(t.stream)
                       from cqrs.subject_streams as t
                      where t.subject = erase.subject);

    for callee in
        select c.forget
          from cqrs.categories as c
         where c.category = any (touched) and c.forget is not null
         order by c.category
    loop
        execute format('select %s($1)', callee) using erase.subject;
    end loop;

    for building in
        select p.* from cqrs.projections as p where p.stage = 'building' and p.categories && touched
    loop
        perform cqrs.empty_rebuild(building);
    end loop;

    perform cqrs.drop_replaced(p.name)
       from cqrs.projections as p
      where p.stage = 'current' and to_regnamespace(quote_ident('cqrs_old_' || p.name)) is not null;

    select coalesce(array_agg(p.name order by p.name) filter (where p.tables is not null), '{}'),
           coalesce(array_agg(p.name order by p.name) filter (where p.tables is null), '{}')
      into to_rebuild, to_check
      from cqrs.projections as p
     where p.stage = 'current'
       and exists (select from unnest(p.categories) as shown (category)
                    where shown.category = any (touched)
                      and not exists (select from cqrs.categories as c
                                       where c.category = shown.category and c.forget is not null));
end $$;

comment on function cqrs.erase(text) is
    'Destroys the key of a subject: what is personal of it in the log can''t be read any more. Lets the categories that '
    'have something of it forget it, and its streams be folded anew. May be repeated. Returns the number of those streams; '
    'and the projections of categories without "forget": which are to be rebuilt, and, without tables, to be looked at.';


create or replace function cqrs.empty_rebuild(building cqrs.projections)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('truncate %s restart identity',
                   (select string_agg(format('%I.%I', 'cqrs_build_' || building.name, t), ', ')
                      from unnest(building.tables) as t));

    update cqrs.projection_checkpoints as c
       set position = 0
     where c.name = building.name and c.build = building.build;
end $$;

comment on function cqrs.empty_rebuild(cqrs.projections) is
    'Lets a projection that is being built begin anew.';
