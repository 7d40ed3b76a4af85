create table if not exists cqrs.parts (
    relation  text    not null check (relation in ('events', 'notifications')),
    partition integer not null,
    number    integer not null check (number > 0),
    first     bigint  not null,
    beyond    bigint  not null check (beyond > first),
    primary key (relation, partition, number)
);

comment on table  cqrs.parts        is
    'Into which tables cqrs.events and cqrs.notifications are cut: <relation>_<partition>_<number>.';
comment on column cqrs.parts.first  is 'The first position, or sequence, of the part.';
comment on column cqrs.parts.beyond is 'The first that belongs to the next part.';


create table if not exists cqrs.part_sizes (
    relation text   primary key check (relation in ('events', 'notifications')),
    rows     bigint not null check (rows > 0)
);

comment on table cqrs.part_sizes is 'How many rows the next part of each relation is to hold; see cqrs.set_part_size.';

insert into cqrs.part_sizes (relation, rows)
values ('events', 1000000), ('notifications', 1000000)
on conflict (relation) do nothing;


create table if not exists cqrs.inbox_parts (
    month date primary key
);

comment on table cqrs.inbox_parts is
    'Into which tables cqrs.inbox is cut: inbox_<year>_<month>. The oldest one holds what came before it, too.';
