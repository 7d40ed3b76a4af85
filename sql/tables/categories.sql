create table if not exists cqrs.categories (
    category    text primary key check (category ~ '^[a-z][a-z0-9_]{0,62}$'),
    decide      text,
    evolve      text,
    project     text,
    react       text,
    notify      text,
    upcast      text,
    forget      text,
    reacts_to   text[],
    notifies_of text[],
    check ((decide is null) = (evolve is null))
);

comment on table  cqrs.categories             is
    'The domain''s functions for each category of streams, by their qualified names; see cqrs.register.';
comment on column cqrs.categories.decide      is 'Null, as evolve: a handler in C decides.';
comment on column cqrs.categories.reacts_to   is 'The types of events that react is asked about; null: all.';
comment on column cqrs.categories.notifies_of is 'The types of events that notify is asked about; null: all.';
