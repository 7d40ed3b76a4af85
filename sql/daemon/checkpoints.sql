create or replace function cqrs.claim_checkpoint(sink text, partition integer, owner text)
    returns table (epoch bigint, "position" bigint)
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '10s'
as $$
#variable_conflict use_column
begin
    if not exists (select from cqrs.partitions as p where p.partition = claim_checkpoint.partition) then
        raise exception using errcode = 'QS002',
            message = format('there is no partition %s', claim_checkpoint.partition);
    end if;

    return query
    insert into cqrs.checkpoints as c (sink, partition, epoch, owner, updated_at)
    values (claim_checkpoint.sink, claim_checkpoint.partition, 1, claim_checkpoint.owner, clock_timestamp())
    on conflict on constraint checkpoints_pkey do update
       set epoch = c.epoch + 1, owner = excluded.owner, updated_at = excluded.updated_at
    returning c.epoch, c.position;
end $$;

comment on function cqrs.claim_checkpoint(text, integer, text) is
    'Makes the caller the one who moves this checkpoint; returns its epoch and the position after which to go on.';


create or replace function cqrs.read_checkpoint(sink text, partition integer)
    returns bigint language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
    select coalesce(max(c.position), 0) from cqrs.checkpoints as c where c.sink = $1 and c.partition = $2
$$;

comment on function cqrs.read_checkpoint(text, integer) is
    'Where the checkpoint stands, for one who does not move it; 0 before the first.';


create or replace function cqrs.advance_checkpoint(sink text, partition integer, epoch bigint, "position" bigint)
    returns void language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    -- from the newest version on, as in cqrs.stream_head

    update cqrs.checkpoints as c
       set position = greatest(c.position, advance_checkpoint.position), updated_at = clock_timestamp()
     where c.ctid = (select k.ctid
                       from cqrs.checkpoints as k
                      where (k.sink, k.partition) >= (advance_checkpoint.sink, advance_checkpoint.partition)
                        and (k.sink, k.partition) <= (advance_checkpoint.sink, advance_checkpoint.partition)
                      order by k.sink desc, k.partition desc
                      limit 1)
       and c.epoch = advance_checkpoint.epoch;

    if not found then
        raise exception using errcode = 'QS001',
            message = format('checkpoint %s of partition %s has another owner now',
                             advance_checkpoint.sink, advance_checkpoint.partition);
    end if;
end $$;

comment on function cqrs.advance_checkpoint(text, integer, bigint, bigint) is
    'Moves the checkpoint forward, never back; QS001 if the epoch is not the current one.';
