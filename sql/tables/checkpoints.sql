create table if not exists cqrs.checkpoints (
    sink       text        not null,
    partition  integer     not null,
    epoch      bigint      not null,
    owner      text,
    position   bigint      not null default 0,
    updated_at timestamptz not null,
    primary key (sink, partition)
) with (fillfactor = 50);

comment on table  cqrs.checkpoints          is 'How far each sink has taken each partition.';
comment on column cqrs.checkpoints.sink     is
    'rabbitmq: position of the events; redis: sequence of the notifications.';
comment on column cqrs.checkpoints.epoch    is 'Counts the owners; an older one cannot move the checkpoint.';
comment on column cqrs.checkpoints.position is 'The last one that is safe there; 0: none.';
