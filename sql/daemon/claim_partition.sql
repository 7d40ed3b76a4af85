-- Waits for the batch that the old owner has in hand, but not for long: a client
-- that hangs while it is sent a result must not lock everybody out in silence.

create or replace function cqrs.claim_partition(partition integer, owner text)
    returns bigint language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '10s'
as $$
declare
    new_epoch bigint;
begin
    update cqrs.partitions as p
       set epoch = p.epoch + 1, owner = claim_partition.owner, claimed_at = clock_timestamp()
     where p.partition = claim_partition.partition
    returning p.epoch into new_epoch;

    if new_epoch is null then
        raise exception using errcode = 'QS002',
            message = format('there is no partition %s', claim_partition.partition);
    end if;

    return new_epoch;
end $$;

comment on function cqrs.claim_partition(integer, text) is
    'Makes the caller the owner of the partition: whoever owned it before can append no more. Returns the epoch.';
