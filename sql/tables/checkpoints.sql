create table if not exists cqrs.checkpoints (
    sink      text    not null,
    partition integer not null references cqrs.partitions,
    position  bigint  not null default 0,
    epoch     bigint  not null default 0,
    owner     text,
    primary key (sink, partition)
) with (fillfactor = 50);

comment on table  cqrs.checkpoints          is 'How far each sink has read each partition.';
comment on column cqrs.checkpoints.sink     is 'rabbitmq: position of the events; redis: sequence of the notifications.';
comment on column cqrs.checkpoints.epoch    is 'Counts the owners; an older one cannot move the checkpoint.';
