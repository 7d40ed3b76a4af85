create table if not exists cqrs.subjects (
    subject    text        primary key check (subject <> ''),
    generation integer     not null check (generation > 0),
    key        bytea,
    created_at timestamptz not null,
    erased_at  timestamptz
);

comment on table  cqrs.subjects            is 'Whom personal data in the log is about, and the key that it is sealed with.';
comment on column cqrs.subjects.generation is
    'Counts the keys that it has had. What is sealed says its generation: what is of an older one can''t be read.';
comment on column cqrs.subjects.key        is 'Null: it was erased, and nothing personal was recorded since.';
comment on column cqrs.subjects.created_at is 'When the key was made, that of this generation.';
comment on column cqrs.subjects.erased_at  is 'When a key of it was destroyed, the last time.';


create table if not exists cqrs.subject_streams (
    subject text not null,
    stream  text not null,
    primary key (subject, stream)
);

comment on table cqrs.subject_streams is
    'In which streams there are, or were, personal data of whom: also in parts of the log that are detached.';
