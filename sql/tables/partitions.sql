create table if not exists cqrs.partitions (
    partition  integer     primary key,
    epoch      bigint      not null default 0,
    owner      text,
    claimed_at timestamptz
);

comment on table  cqrs.partitions       is 'One row per partition: who may append to it now.';
comment on column cqrs.partitions.epoch is 'Counts the owners. An append says for which epoch it is; an older one is refused.';

insert into cqrs.partitions (partition)
select generate_series(0, value::integer - 1) from cqrs.settings where name = 'partitions'
on conflict do nothing;
