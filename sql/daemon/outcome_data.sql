create or replace function cqrs.outcome_data(id uuid, type text, stream text, version bigint,
    code text, message text, detail jsonb)
    returns jsonb language sql immutable
    return jsonb_strip_nulls(jsonb_build_object(
        'id', id, 'command', type, 'stream', stream, 'version', version,
        'code', code, 'message', message)
        || case when detail is null then '{}' else jsonb_build_object('detail', detail) end);

comment on function cqrs.outcome_data(uuid, text, text, bigint, text, text, jsonb) is
    'What the issuer is told of a command: the data of a cqrs.command notification.';


create or replace function cqrs.outcome_type(status text)
    returns text language sql immutable
    return 'cqrs.command.' || case status when 'parked' then 'failed' else status end;

comment on function cqrs.outcome_type(text) is
    'The CloudEvents type that tells of an outcome.';
