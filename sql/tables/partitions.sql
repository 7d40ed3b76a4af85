create table if not exists cqrs.partitions (
    partition  integer     primary key check (partition >= 0),
    epoch      bigint      not null default 0,
    owner      text,
    claimed_at timestamptz
);

comment on table  cqrs.partitions       is 'One row per partition, made by the first install: who may append to it now.';
comment on column cqrs.partitions.epoch is 'Counts the owners. An append says its epoch; an older one is refused.';
comment on column cqrs.partitions.owner is 'What the owner called itself; for people only.';

do $$
declare
    wanted text    := nullif(pg_catalog.current_setting('cqrs.partitions', true), '');
    fixed  integer := (select nullif(pg_catalog.count(*), 0) from cqrs.partitions);
begin
    if wanted !~ '^[1-9][0-9]{0,2}$' then
        raise exception using errcode = '22023',
            message = pg_catalog.format('the number of partitions must be 1 to 999, not %s', wanted);
    end if;

    if wanted::integer <> fixed then
        raise exception using errcode = '22023',
            message = pg_catalog.format('this store has %s partitions, not %s: their number is fixed '
                                        'by the first install', fixed, wanted);
    end if;

    if fixed is null then
        insert into cqrs.partitions (partition)
        select pg_catalog.generate_series(0, coalesce(wanted::integer, 4) - 1);
    end if;
end $$;
