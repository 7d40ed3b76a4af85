create or replace function cqrs.invalid_command(command cqrs.command)
    returns text language sql immutable
    return case
        when command.stream !~ '^[a-z][a-z0-9_]*-.' then
            'The stream must be named <category>-<id>, for example account-1001.'
        when coalesce(command.type, '') = '' then
            'The command has no type.'
        when command.data is null or jsonb_typeof(command.data) <> 'object' then
            'The data must be a JSON object.'
        when command.expected_version !~ '^(no-stream|exists|[0-9]{1,18})$' then
            'The expected version must be a number, no-stream or exists.'
    end;

comment on function cqrs.invalid_command(cqrs.command) is
    'What is wrong with a command in any domain, as a sentence; null: nothing.';


create or replace function cqrs.version_conflict(expected text, version bigint)
    returns text language sql immutable
    return case
        when expected = 'no-stream' and version > 0 then
            format('The stream should not exist, but is at version %s.', version)
        when expected = 'exists' and version = 0 then
            'The stream should exist, but does not.'
        when expected not in ('no-stream', 'exists') and expected::numeric <> version then
            format('The stream is at version %s, not %s.', version, expected)
    end;

comment on function cqrs.version_conflict(text, bigint) is
    'Why a stream at this version is not what the command expects; null: it is.';
