-- What is no command has no outcome: the inbox stays free for the day on which the
-- message, or a better one with its id, can be executed after all.

create or replace function cqrs.refuse_message(partition integer, epoch bigint, command jsonb, reason_code text, reason text)
    returns table (ordinal integer, status text, duplicate boolean, version bigint, code text, message text,
                   detail jsonb, sequence bigint, channel text, body text)
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    at       constant timestamptz := clock_timestamp();
    refused  cqrs.command;
    clause   constant text := coalesce(refuse_message.reason, 'it can''t be read');
    sentence constant text := upper(left(clause, 1)) || substr(clause, 2) || '.';
    told     cqrs.notifications;
begin
    perform cqrs.own_partition(refuse_message.partition, refuse_message.epoch);

    refused.id      := refuse_message.command->>'id';
    refused.stream  := coalesce(refuse_message.command->>'stream', '');
    refused.type    := coalesce(refuse_message.command->>'type', '');
    refused.user_id := refuse_message.command->>'user';

    if exists (select from cqrs.inbox as i where i.id = refused.id) then
        return;
    end if;

    insert into cqrs.refused (id, partition, stream, type, user_id, code, message, refused_at)
    values (refused.id, refuse_message.partition, refuse_message.command->>'stream', refuse_message.command->>'type',
            refused.user_id, refuse_message.reason_code, sentence, at)
    on conflict on constraint refused_pkey do nothing;

    if not found then
        return;
    end if;

    insert into cqrs.notifications as n (partition, sequence, channel, body, recorded_at)
    values (refuse_message.partition, cqrs.room_for_notifications(refuse_message.partition, 1) + 1, 'user:' || refused.user_id,
            cqrs.outcome_envelope(refused, 'parked', null, cqrs.reject(refuse_message.reason_code, sentence),
                                  cqrs.timestamp(at)), at)
    returning n.* into told;

    return query
    select 1, 'refused', false, null::bigint, refuse_message.reason_code, sentence, null::jsonb, told.sequence, told.channel, told.body;
end $$;

comment on function cqrs.refuse_message(integer, bigint, jsonb, text, text) is
    'Tells the issuer of a message that it is no command and goes to the dead letters; once for each id, and '
    'not if a command of that id has an outcome. command: what is known of it, id and user at least; reason: '
    'a clause such as "it has no stream". Returns what cqrs.execute returns, or nothing.';
