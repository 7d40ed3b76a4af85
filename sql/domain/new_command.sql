create or replace function cqrs.new_command(stream text, type text, data jsonb default '{}')
    returns cqrs.command language sql immutable parallel safe
    return row(null, stream, type, coalesce(data, '{}'), null, null, null, null, null, null, null)::cqrs.command;

comment on function cqrs.new_command(text, text, jsonb) is
    'A command for react to return. What stays null it inherits from the event.';


create or replace function cqrs.new_command(stream text, type text, data jsonb, user_id text,
    claims jsonb default null, expected_version text default null, causation_id text default null,
    issued_at timestamptz default null)
    returns cqrs.command language sql immutable parallel safe
    return row(null, stream, type, coalesce(data, '{}'), user_id, claims, expected_version, null, causation_id,
               null, issued_at)::cqrs.command;

comment on function cqrs.new_command(text, text, jsonb, text, jsonb, text, text, timestamptz) is
    'A command as somebody gives it, for cqrs.spec; for react, one in another user''s name.';
