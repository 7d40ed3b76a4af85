create or replace function cqrs.accept(variadic events cqrs.new_event[] default '{}')
    returns cqrs.decision language sql immutable parallel safe
    return row(events, null, null, null)::cqrs.decision;

comment on function cqrs.accept(cqrs.new_event[]) is
    'The command takes effect with these events; with none it is done and changes nothing.';
