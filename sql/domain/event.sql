create or replace function cqrs.event(type text, data jsonb default '{}', revision integer default 1,
    subject text default null, personal jsonb default null)
    returns cqrs.new_event language sql immutable parallel safe
    return row(type, coalesce(data, '{}'), coalesce(revision, 1), subject, personal)::cqrs.new_event;

comment on function cqrs.event(text, jsonb, integer, text, jsonb) is
    'An event for cqrs.accept. revision: counts the shapes its data has had, see upcast in cqrs.register.';
