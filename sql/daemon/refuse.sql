-- What the store refuses by itself, before the domain is asked.  Lengths are checked
-- apart: a bounded repetition makes the regular expression six times as slow.

create or replace function cqrs.invalid_command(command cqrs.command)
    returns text language sql immutable parallel safe
    return case
        when command.stream !~ '^[a-z][a-z0-9_]*-[^[:cntrl:]]+$' or octet_length(command.stream) > 255 then
            'The stream must be named <category>-<id>, for example account-1001, in at most 255 bytes.'
        when command.type !~ '^[a-z0-9][a-z0-9._-]*$' or octet_length(command.type) > 100 then
            'The type must be a name, for example deposit, in at most 100 letters.'
        when command.data is null or jsonb_typeof(command.data) <> 'object' then
            'The data must be a JSON object.'
        when command.expected_version !~ '^(no-stream|exists|[0-9]{1,18})$' then
            'The expected version must be a number, no-stream or exists.'
    end;

comment on function cqrs.invalid_command(cqrs.command) is
    'What is wrong with a command in any domain, as a sentence; null: nothing.';


create or replace function cqrs.version_conflict(expected text, version bigint)
    returns cqrs.decision language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    message constant text := case
        when expected = 'no-stream' and version > 0 then
            format('It should not exist yet, but is at version %s.', version)
        when expected = 'exists' and version = 0 then
            'It should exist already, but does not.'
        when expected not in ('no-stream', 'exists') and expected::bigint <> version then
            format('It was changed meanwhile: it is at version %s, not %s.', version, expected)
    end;
begin
    if message is null then
        return null;
    end if;

    return cqrs.reject('conflict', message,
                       jsonb_build_object('version', version, 'expected_version', expected));
end $$;

comment on function cqrs.version_conflict(text, bigint) is
    'A rejection if a stream at this version (0: none) is not what the command expects; else null.';
