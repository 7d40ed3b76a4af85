create table if not exists cqrs.categories (
    category text primary key check (category ~ '^[a-z][a-z0-9_]{0,62}$'),
    decide   text not null,
    evolve   text not null,
    project  text,
    react    text,
    notify   text
);

comment on table cqrs.categories is
    'The domain''s functions for each category of streams, by their qualified names; see cqrs.register.';
