create or replace function cqrs.timestamp(at timestamptz)
    returns text language sql immutable
    return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

comment on function cqrs.timestamp(timestamptz) is 'RFC 3339 in UTC, with microseconds.';


create or replace function cqrs.event_envelope(event cqrs.event, source text)
    returns text language sql stable
    return (jsonb_build_object(
        'specversion', '1.0',
        'id', event.id,
        'source', source,
        'type', cqrs.category_of(event.stream) || '.' || event.type,
        'subject', event.stream,
        'time', cqrs.timestamp(event.recorded_at),
        'datacontenttype', 'application/json',
        'data', event.data,
        'partition', event.partition,
        'position', event.position,
        'version', event.version)
        || jsonb_strip_nulls(jsonb_build_object(
        'commandid', event.metadata->'command_id',
        'correlationid', event.metadata->'correlation_id',
        'causationid', event.metadata->'causation_id',
        'user', event.metadata->'user_id')))::text;

comment on function cqrs.event_envelope(cqrs.event, text) is 'An event as CloudEvents 1.0 JSON, as RabbitMQ gets it.';


create or replace function cqrs.notification_envelope(id uuid, source text, type text, subject text, at timestamptz, data jsonb)
    returns text language sql stable
    return jsonb_build_object(
        'specversion', '1.0',
        'id', id,
        'source', source,
        'type', type,
        'subject', subject,
        'time', cqrs.timestamp(at),
        'datacontenttype', 'application/json',
        'data', data)::text;

comment on function cqrs.notification_envelope(uuid, text, text, text, timestamptz, jsonb) is 'A notification as CloudEvents 1.0 JSON, as Redis gets it.';
