-- An asynchronous projection moves its checkpoint in the transaction that changes its
-- tables: each event is in them exactly once, whoever dies when.  Two who would take
-- the same partition do not wait for each other: the second leaves it to the first.

create or replace function cqrs.advance_projection(name text, build integer, partition integer, max integer)
    returns table (applied integer, "position" bigint)
    language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    last    bigint;
    wanted  text[];
    callee  text;
    chosen  cqrs.event[];
begin
    select c.position into last
      from cqrs.projection_checkpoints as c
     where c.name = advance_projection.name and c.build = advance_projection.build
       and c.partition = advance_projection.partition
       for update skip locked;

    if not found then
        return;
    end if;

    select p.categories,
           case when p.tables is null then p.project
                else format('cqrs.%I', cqrs.projection_wrapper(p.name, p.build)) end
      into wanted, callee
      from cqrs.projections as p
     where p.name = advance_projection.name and p.build = advance_projection.build and p.stage <> 'waiting';

    select array_agg(cqrs.opened_event(e) order by e.position)
               filter (where cqrs.category_of(e.stream) = any (wanted)),
           count(*), coalesce(max(e.position), last)
      into chosen, applied, position
      from (select * from cqrs.events as e
             where e.partition = advance_projection.partition and e.position > last
             order by e.position
             limit least(advance_projection.max, 10000)) as e;

    if chosen is not null then
        execute format('select %s($1)', callee) using chosen;
    end if;

    update cqrs.projection_checkpoints as c
       set position = advance_projection.position, code = null, message = null, failed_at = null,
           updated_at = clock_timestamp()
     where c.name = advance_projection.name and c.build = advance_projection.build
       and c.partition = advance_projection.partition
       and (applied > 0 or c.code is not null);

    return next;
end $$;

comment on function cqrs.advance_projection(text, integer, integer, integer) is
    'Brings the next events of a partition into the tables of a projection, at most max; returns how many, and where '
    'its checkpoint is then. No row: somebody else is at it.';


create or replace function cqrs.run_projection(name text, build integer, partition integer, max integer)
    returns table (applied integer, "position" bigint)
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from cqrs.projections as p
                where p.name = run_projection.name and p.build = run_projection.build
                  and p.stage = 'current' and p.mode = 'async')
    then
        return query
        select * from cqrs.advance_projection(run_projection.name, run_projection.build,
                                              run_projection.partition, run_projection.max);
    end if;
end $$;

comment on function cqrs.run_projection(text, integer, integer, integer) is
    'Brings the next events of a partition into the tables of an asynchronous projection; what '
    'cqrs.advance_projection returns. No row: somebody else is at it, or there is no such build.';


create or replace function cqrs.pending_projections()
    returns table (name text, build integer, partition integer, behind bigint)
    language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select c.name, c.build, c.partition, cqrs.log_end(c.partition) - c.position
      from cqrs.projections as p
      join cqrs.projection_checkpoints as c on c.name = p.name and c.build = p.build
     where p.stage = 'current' and p.mode = 'async'
     order by c.name, c.partition
$$;

comment on function cqrs.pending_projections() is
    'The asynchronous projections, and how many events each is behind in each partition. No row: there is none.';


create or replace function cqrs.fail_projection(name text, build integer, partition integer, code text, message text)
    returns void language sql security definer set search_path = pg_catalog, pg_temp
as $$
    update cqrs.projection_checkpoints as c
       set code = $4, message = $5, failed_at = clock_timestamp()
     where c.name = $1 and c.build = $2 and c.partition = $3
$$;

comment on function cqrs.fail_projection(text, integer, integer, text, text) is
    'Records why the next events of a partition could not be projected; forgotten when they can.';


create or replace view cqrs.projection_status as
select p.name, p.stage, p.build, p.revision, p.mode, n.partition,
       h.head - coalesce(c.position, h.head) as behind,
       c.code, c.message, c.failed_at
  from cqrs.projections as p
 cross join cqrs.partitions as n
 cross join lateral (select cqrs.log_end(n.partition) as head) as h
  left join cqrs.projection_checkpoints as c
         on c.name = p.name and c.build = p.build and c.partition = n.partition
 where p.stage <> 'waiting';

comment on view   cqrs.projection_status        is 'How each projection is in each partition.';
comment on column cqrs.projection_status.behind is 'How many events are not in its tables yet; inline: none, ever.';
comment on column cqrs.projection_status.code   is 'The SQLSTATE of its last failure, if it stands at it; message: its sentence.';
