create table if not exists cqrs.categories (
    category text         primary key check (category ~ '^[a-z][a-z0-9_]*$'),
    decide   regprocedure not null,
    evolve   regprocedure not null,
    project  regprocedure,
    react    regprocedure,
    notify   regprocedure
);

comment on table cqrs.categories is 'The domain''s functions for each category of streams, see cqrs.register.';
