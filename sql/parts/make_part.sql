-- The batch that finds no room makes the next part itself, in its transaction: nobody
-- has to do it in time.  A part is made apart and attached, for which writers and
-- readers of the others need not stop.

create or replace function cqrs.make_part(relation text, partition integer)
    returns void language plpgsql
    set search_path = pg_catalog, pg_temp
    set client_min_messages = warning
as $$
#variable_conflict use_column
declare
    ordered constant text   := case relation when 'events' then 'position' else 'sequence' end;
    parent  constant text   := format('%s_%s', relation, partition);
    rows    constant bigint := (select s.rows from cqrs.part_sizes as s where s.relation = make_part.relation);
    part    text;
    made    cqrs.parts;
begin
    lock table cqrs.parts in share row exclusive mode;

    select make_part.relation, make_part.partition, coalesce(max(p.number), 0) + 1,
           coalesce(max(p.beyond), 1), coalesce(max(p.beyond), 1) + rows
      into made
      from cqrs.parts as p
     where p.relation = make_part.relation and p.partition = make_part.partition;

    part := format('%s_%s', parent, made.number);

    if made.number = 1 then
        execute format('create table cqrs.%I partition of cqrs.%I for values in (%s) partition by range (%I)',
                       parent, relation, partition, ordered);
        execute format('comment on table cqrs.%I is %L', parent,
                       format('The %s of partition %s.', relation, partition));
    end if;

    execute format('create table cqrs.%I (like cqrs.%I including defaults including constraints)', part, parent);
    execute format('alter table cqrs.%I add primary key (partition, %I)', part, ordered);

    if relation = 'events' then
        execute format('create unique index on cqrs.%I (stream, version)', part);
        execute format('create trigger refuse_change before update or delete or truncate on cqrs.%I '
                       'for each statement execute function cqrs.refuse_change()', part);
    end if;

    execute format('comment on table cqrs.%I is %L', part,
                   format('The %s of partition %s from %s %s on.', relation, partition, ordered, made.first));
    execute format('alter table cqrs.%I attach partition cqrs.%I for values from (%s) to (%s)',
                   parent, part, made.first, made.beyond);

    insert into cqrs.parts select made.*;

    perform cqrs.make_heads(relation);
end $$;

comment on function cqrs.make_part(text, integer) is
    'Makes the next part of the events or notifications of a partition.';


-- Reads the newest part by its name: asking the whole relation for its last row would
-- lock, and prepare to read, every part that it ever had.  Whoever asks owns the
-- partition.  A part that is still empty follows one that is not.

create or replace function cqrs.make_heads(relation text)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $make$
#variable_conflict use_column
declare
    ordered  constant text := case relation when 'events' then 'position' else 'sequence' end;
    branches text;
begin
    select string_agg(format($sql$
            when %1$s then
                beyond := %2$s;
                last := (select max(p.%3$I) from cqrs.%4$I as p where p.partition = %1$s);
                if last is null then
                    last := coalesce((select max(p.%3$I) from cqrs.%5$I as p where p.partition = %1$s), %6$s);
                end if;$sql$,
            h.partition, h.beyond, ordered, format('%s_%s_%s', h.relation, h.partition, h.number), h.relation,
            h.first - 1), ''
            order by h.partition)
      into branches
      from (select distinct on (p.partition) p.*
              from cqrs.parts as p
             where p.relation = make_heads.relation
             order by p.partition, p.number desc) as h;

    execute format($sql$
        create or replace function cqrs.%1$I(partition integer, out last bigint, out beyond bigint)
            language plpgsql
            set search_path = pg_catalog, pg_temp
            set enable_seqscan = off
            set enable_bitmapscan = off
        as $body$ begin case partition %2$s else last := 0; beyond := 1; end case; end $body$ $sql$,
        relation || '_head', coalesce(branches, 'when -1 then'));

    execute format('comment on function cqrs.%I(integer) is %L', relation || '_head',
                   format('The last %s of a partition, 0: there is none, and the first for which there is no part yet. '
                          'Made by cqrs.make_heads.', ordered));
end $make$;

comment on function cqrs.make_heads(text) is
    'Writes cqrs.events_head or cqrs.notifications_head, which know the newest parts by name.';


do $$
declare
    name text;
begin
    foreach name in array array['events', 'notifications'] loop
        perform cqrs.make_heads(name);
        perform cqrs.make_part(name, p.partition)
           from cqrs.partitions as p
          where not exists (select from cqrs.parts as q where q.relation = name and q.partition = p.partition);
    end loop;
end $$;
