create table if not exists cqrs.refused (
    id         uuid        primary key,
    partition  integer     not null,
    stream     text,
    type       text,
    user_id    text,
    code       text        not null,
    message    text        not null,
    refused_at timestamptz not null
);

comment on table  cqrs.refused         is
    'Messages that lie among the dead letters and whose issuer was told so. One that is tried again later '
    'gets its outcome in the inbox, like any other.';
comment on column cqrs.refused.stream  is 'As far as it could be read; so are type and user_id.';
comment on column cqrs.refused.message is 'What its issuer was told.';
