create or replace function cqrs.assert_read_committed()
    returns void language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception using errcode = 'QS002',
            message = 'the event store is written in READ COMMITTED transactions only';
    end if;
end $$;

comment on function cqrs.assert_read_committed() is
    'QS002 in another transaction: it would not see what was written before it got its locks.';


-- Writers of a partition queue at its row, from here to their commit.  So max(position)
-- read afterwards, in a statement of its own, is the last one; positions become
-- visible in order; and who claims the partition waits for the batch in hand.  The
-- row is locked, not changed: nothing is left to vacuum, however old a snapshot is.

create or replace function cqrs.own_partition(partition integer, epoch bigint)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    current_epoch bigint;
begin
    perform cqrs.assert_read_committed();

    select p.epoch into current_epoch
      from cqrs.partitions as p
     where p.partition = own_partition.partition
       for no key update;

    if current_epoch is null then
        raise exception using errcode = 'QS002',
            message = format('there is no partition %s', own_partition.partition);
    end if;

    if current_epoch is distinct from own_partition.epoch then
        raise exception using errcode = 'QS001',
            message = format('partition %s is in epoch %s, not %s: it has another owner now',
                             own_partition.partition, current_epoch, own_partition.epoch);
    end if;
end $$;

comment on function cqrs.own_partition(integer, bigint) is
    'Locks the partition until the end of the transaction; QS001 if the epoch is not the current one.';

