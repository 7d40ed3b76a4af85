create or replace function cqrs.park(partition integer, epoch bigint, command jsonb, code text, message text)
    returns table (ordinal integer, status text, duplicate boolean,
                   sequence bigint, channel text, body text)
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    at          constant timestamptz := clock_timestamp();
    command_id  constant uuid := command->>'id';
    stream_name constant text := command->>'stream';
begin
    perform cqrs.own_partition(park.partition, park.epoch);

    ordinal := 1;

    select i.status into status from cqrs.inbox as i where i.id = command_id;
    duplicate := found;

    if duplicate then
        return next;
        return;
    end if;

    status := 'parked';

    insert into cqrs.parked (partition, id, stream, command, code, message)
    values (park.partition, command_id, stream_name, park.command, park.code, park.message);

    insert into cqrs.streams as s (stream, partition, version, held)
    values (stream_name, park.partition, 0, command_id::text)
    on conflict (stream) do update set held = coalesce(s.held, excluded.held);

    insert into cqrs.inbox (id, stream, type, status, code, message, recorded_at)
    values (command_id, stream_name, park.command->>'type', status, park.code, park.message, at);

    if park.command->>'user' is not null then
        select coalesce(max(n.sequence), 0) + 1 into sequence
          from cqrs.notifications as n where n.partition = park.partition;

        channel := 'user:' || (park.command->>'user');
        body := cqrs.notification_envelope(cqrs.derive_id(command_id, 'notification:1'),
            (select s.value from cqrs.settings as s where s.name = 'source'),
            cqrs.outcome_type(status), stream_name, at,
            cqrs.outcome_data(command_id, park.command->>'type', stream_name, null,
                              park.code, park.message, null));

        insert into cqrs.notifications (partition, sequence, channel, body, recorded_at)
        values (park.partition, park.sequence, park.channel, park.body, at);
    end if;

    return next;
end $$;

comment on function cqrs.park(integer, bigint, jsonb, text, text) is
    'Puts a command aside that fails by itself, tells its issuer, and holds its stream: what follows for '
    'that stream is parked behind it. Parking it again changes nothing.';
