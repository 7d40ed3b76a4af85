-- CloudEvents 1.0 as text.  Members are joined, not built: that is quicker, keeps
-- their order, and the text ends with the brace before which Redis puts the cursor.

create or replace function cqrs.timestamp(at timestamptz)
    returns text language sql stable parallel safe
    return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

comment on function cqrs.timestamp(timestamptz) is
    'RFC 3339 in UTC, with microseconds.';


create or replace function cqrs.envelope(id uuid, type text, subject text, at text, data text, more text)
    returns text language sql stable parallel safe
    return '{"specversion":"1.0","id":"' || id || '","source":"/cqrs","type":' || to_json(type)
           || ',"subject":' || to_json(subject) || ',"time":"' || at
           || '","datacontenttype":"application/json","data":' || data || more || '}';

comment on function cqrs.envelope(uuid, text, text, text, text, text) is
    'CloudEvents 1.0 JSON. at: as cqrs.timestamp says it; data: JSON; more: further members, each after a comma.';


create or replace function cqrs.event_envelope(event cqrs.event)
    returns text language sql stable parallel safe
    return cqrs.envelope(
        event.id,
        cqrs.category_of(event.stream) || '.' || event.type,
        event.stream,
        cqrs.timestamp(event.recorded_at),
        event.data::text,
        ',"partition":' || event.partition || ',"position":' || event.position || ',"version":' || event.version
        || coalesce(',"commandid":' || (event.metadata->'command_id')::text, '')
        || coalesce(',"correlationid":' || (event.metadata->'correlation_id')::text, '')
        || coalesce(',"causationid":' || (event.metadata->'causation_id')::text, '')
        || coalesce(',"user":' || (event.metadata->'user_id')::text, ''));

comment on function cqrs.event_envelope(cqrs.event) is
    'An event as RabbitMQ gets it.';


create or replace function cqrs.outcome_envelope(command cqrs.command, status text, version bigint,
    decision cqrs.decision, at text)
    returns text language sql stable parallel safe
    return cqrs.envelope(
        cqrs.derive_id(command.id, case status when 'parked' then concat_ws(' ', 'failed', decision.code, decision.message)
                                               else 'notification:1' end),
        case status when 'parked' then 'cqrs.command.failed' else 'cqrs.command.' || status end,
        command.stream,
        at,
        '{"id":"' || command.id || '","command":' || to_json(command.type) || ',"stream":' || to_json(command.stream)
        || coalesce(',"version":' || version, '')
        || coalesce(',"code":' || to_json(decision.code), '')
        || coalesce(',"message":' || to_json(decision.message), '')
        || coalesce(',"detail":' || decision.detail::text, '')
        || '}',
        '');

comment on function cqrs.outcome_envelope(cqrs.command, text, bigint, cqrs.decision, text) is
    'What the issuer of a command hears: its notification 1. That it failed is another one, for it may complete later.';


create or replace function cqrs.metadata_of(command cqrs.command)
    returns jsonb language sql stable parallel safe
    return ('{"command_id":"' || command.id || '","correlation_id":' || to_json(command.correlation_id)
            || coalesce(',"causation_id":' || to_json(command.causation_id), '')
            || coalesce(',"user_id":' || to_json(command.user_id), '')
            || coalesce(',"claims":' || command.claims::text, '')
            || coalesce(',"traceparent":' || to_json(command.traceparent), '')
            || '}')::jsonb;

comment on function cqrs.metadata_of(cqrs.command) is
    'What the events of a command have in common.';
