create or replace function cqrs.reject(code text, message text, detail jsonb default null)
    returns cqrs.decision language sql immutable parallel safe
    return row(null, coalesce(code, 'rejected'), message, detail)::cqrs.decision;

comment on function cqrs.reject(text, text, jsonb) is
    'The command is refused: a code that stays, a sentence for the user, details for programs.';
