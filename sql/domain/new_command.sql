create or replace function cqrs.new_command(stream text, type text, data jsonb default '{}')
    returns cqrs.command language sql immutable parallel safe
    return row(null, stream, type, coalesce(data, '{}'), null, null, null, null, null, null, null)::cqrs.command;

comment on function cqrs.new_command(text, text, jsonb) is
    'A command for react to return. What stays null it inherits from the event.';
