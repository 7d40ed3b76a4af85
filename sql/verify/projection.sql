-- A projection is made again from the log, in tables of its own that are gone at the
-- end, and compared row by row, both ways.  Columns that number rows by themselves
-- (identity) or follow from others (generated) are left out.

create or replace function cqrs.verify_table(mine regclass, again regclass)
    returns cqrs.verification language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    result  cqrs.verification;
    columns text;
    keys    text;
    said    text;
    counted bigint;
begin
    select string_agg(case when a.atttypid in ('json'::regtype, 'xml'::regtype) then format('%I::text', a.attname)
                           else format('%I', a.attname) end, ', ' order by a.attnum)
      into columns
      from pg_attribute as a
     where a.attrelid = mine and a.attnum > 0 and not a.attisdropped and a.attidentity = '' and a.attgenerated = '';

    select string_agg(format('%I', a.attname), ', ' order by k.place),
           string_agg(format('%L || %I', a.attname || ' = ', a.attname), ' || '', '' || ' order by k.place)
      into keys, said
      from pg_index as i
     cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (number, place)
      join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.number
     where i.indrelid = mine and i.indisprimary and a.attidentity = '';

    execute format($sql$
        select count(*), (array_agg(f.said order by f.said))[1:3]
          from (select %1$s || case when bool_and(d.here) then ' is there, but not in the log'
                                    when bool_or(d.here) then ' is not as in the log'
                                    else ' is missing' end as said
                  from (select row_number() over () as number, b.*
                          from (select true as here, h.* from (select %2$s from %3$s except all select %2$s from %4$s) as h
                                union all
                                select false, l.* from (select %2$s from %4$s except all select %2$s from %3$s) as l) as b) as d
                 group by %5$s) as f $sql$,
        coalesce(said, $sql$ 'a row' $sql$), columns, mine, again, coalesce(keys, 'd.number'))
       into result.wrong, result.examples;

    execute format('select count(*) from %s', mine) into counted;

    result.checked := format('%s %s', mine, cqrs.count_of(counted, 'row', 'rows'));
    result.examples := (select array_agg(format('%s: %s', mine, x)) from unnest(result.examples) as x);

    return result;
end $$;

comment on function cqrs.verify_table(regclass, regclass) is
    'Compares a table of a projection with what the log makes of it.';


create or replace function cqrs.replay(definition cqrs.projections, wrapper text, place text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    item   record;
    last   bigint;
    upto   bigint;
    seen   bigint := 0;
    known  bigint := 5000;
    chosen cqrs.event[];
    name   text;
begin
    for item in
        select p.partition,
               case definition.mode when 'inline' then cqrs.log_end(p.partition)
                                    else coalesce(c.position, 0) end as position
          from cqrs.partitions as p
          left join cqrs.projection_checkpoints as c
                 on c.name = definition.name and c.build = definition.build and c.partition = p.partition
         order by p.partition
    loop
        last := 0;

        while last < item.position loop
            upto := least(last + 1000, item.position);

            select array_agg(cqrs.opened_event(e) order by e.position)
              into chosen
              from cqrs.events as e
             where e.partition = item.partition and e.position > last and e.position <= upto
               and cqrs.category_of(e.stream) = any (definition.categories);

            if chosen is not null then
                execute format('select cqrs.%I($1)', wrapper) using chosen;
            end if;

            seen := seen + upto - last;
            last := upto;

            -- plans made for empty tables are made anew, at twice as many each time

            if seen >= known then
                known := 2 * seen;

                foreach name in array definition.tables loop
                    execute format('analyze %I.%I', place, name);
                end loop;
            end if;
        end loop;
    end loop;
end $$;

comment on function cqrs.replay(cqrs.projections, text, text) is
    'Lets a projection see all events again that are in its tables, by way of a wrapper for tables elsewhere.';


create or replace function cqrs.verify_projection(name text)
    returns cqrs.verification language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    place      constant text := 'cqrs_verify_' || name;
    wrapper    constant text := cqrs.projection_wrapper(name, 0);
    definition cqrs.projections;
    result     cqrs.verification;
    found      cqrs.verification;
    item       text;
begin
    select * into definition from cqrs.projections as p where p.name = verify_projection.name and p.stage = 'current';

    if definition.tables is null then
        result.skipped := 'it names no tables; see "tables" of cqrs.register';
        return result;
    end if;

    select format('the log of partition %s begins at position %s', p.partition, cqrs.log_begin(p.partition))
      into result.skipped
      from cqrs.partitions as p
     where cqrs.log_begin(p.partition) > 1
     order by p.partition
     limit 1;

    if result.skipped is not null then
        return result;
    end if;

    execute format('create schema %I', place);

    foreach item in array definition.tables loop
        perform cqrs.copy_table(to_regclass(format('%I.%I', definition.schema, item)), place);
    end loop;

    perform cqrs.make_projection_wrapper(wrapper, definition.project, place);

    result.wrong := 0;

    begin
        perform cqrs.replay(definition, wrapper, place);
    exception when others then
        result.wrong := 1;
        result.examples := array[format('%s fails, %s "%s"', definition.project, sqlstate, sqlerrm)];
    end;

    if result.wrong = 0 then
        foreach item in array definition.tables loop
            found := cqrs.verify_table(to_regclass(format('%I.%I', definition.schema, item)),
                                       to_regclass(format('%I.%I', place, item)));

            result.checked := concat_ws(', ', result.checked, found.checked);
            result.wrong := result.wrong + found.wrong;
            result.examples := (result.examples || found.examples)[1:3];
        end loop;
    end if;

    execute format('drop function cqrs.%I(cqrs.event[])', wrapper);

    foreach item in array definition.tables loop
        execute format('drop table %I.%I', place, item);
    end loop;

    execute format('drop schema %I', place);

    return result;
end $$;

comment on function cqrs.verify_projection(text) is
    'Are the tables of a projection what the log makes of it?';
