create or replace function cqrs.event(type text, data jsonb default '{}')
    returns cqrs.new_event language sql immutable parallel safe
    return row(type, coalesce(data, '{}'))::cqrs.new_event;

comment on function cqrs.event(text, jsonb) is
    'An event for cqrs.accept.';
