-- A batch of commands in one statement.
--
-- Everything is decided and folded in memory first, then written by one insert
-- per table.  A rejection is a value: nothing here needs a subtransaction.

create or replace function cqrs.execute(partition integer, epoch bigint, commands jsonb)
    returns table (ordinal integer, status text, duplicate boolean,
                   sequence bigint, channel text, body text)
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    at            constant timestamptz := clock_timestamp();
    source        text;
    last_position bigint;
    last_sequence bigint;

    -- the streams of this batch, each at its place "head"
    names         text[];
    states        jsonb[];
    versions      bigint[];
    holders       text[];
    touched       boolean[];

    -- the command in hand
    item          record;
    head          integer;
    command       cqrs.command;
    category      text;
    metadata      jsonb;
    decision      cqrs.decision;
    made          cqrs.new_event;
    event         cqrs.event;
    told          cqrs.notification;
    outcome       cqrs.inbox;
    notes         integer;

    -- what is written at the end
    appended      cqrs.event[]  := '{}';
    outcomes      cqrs.inbox[]  := '{}';
    notices       cqrs.notice[] := '{}';

    -- what is returned, by ordinal
    statuses      text[]    := '{}';
    duplicates    boolean[] := '{}';
begin
    perform cqrs.own_partition(execute.partition, execute.epoch);

    select s.value into source from cqrs.settings as s where s.name = 'source';

    select coalesce(max(e.position), 0) into last_position
      from cqrs.events as e where e.partition = execute.partition;

    select coalesce(max(n.sequence), 0) into last_sequence
      from cqrs.notifications as n where n.partition = execute.partition;

    select array_agg(c.stream), array_agg(s.state), array_agg(coalesce(s.version, 0)),
           array_agg(s.held), array_agg(false)
      into names, states, versions, holders, touched
      from (select distinct r.stream from jsonb_to_recordset(commands) as r (stream text)) as c
      left join cqrs.streams as s on s.stream = c.stream;

    for item in
        select v.ordinality::integer as ordinal, v.value as whole, r.*,
               array_position(names, r.stream) as head,
               first_value(v.ordinality::integer) over (partition by r.id order by v.ordinality) as first,
               i.status as outcome
          from jsonb_array_elements(commands) with ordinality as v
          cross join lateral jsonb_to_record(v.value) as r (
                   id uuid, stream text, type text, data jsonb, "user" text, claims jsonb,
                   expected_version text, correlation_id text, causation_id text,
                   traceparent text, issued_at timestamptz)
          left join cqrs.inbox as i on i.id = r.id
         order by v.ordinality
    loop
        duplicates[item.ordinal] := item.outcome is not null or item.first < item.ordinal;

        if duplicates[item.ordinal] then
            statuses[item.ordinal] := coalesce(item.outcome, statuses[item.first]);
            continue;
        end if;

        head := item.head;
        notes := 0;
        command := row(item.id, item.stream, item.type, item.data, item."user", item.claims,
                       item.expected_version, coalesce(item.correlation_id, item.id::text),
                       item.causation_id, item.traceparent, item.issued_at);
        category := cqrs.category_of(command.stream);
        outcome := row(command.id, command.stream, command.type, 'rejected',
                       null, null, null, versions[head], null, at);

        if cqrs.partition_of(command.stream) <> execute.partition then
            raise exception using errcode = 'QS002',
                message = format('stream %s belongs to partition %s, not %s', command.stream,
                                 cqrs.partition_of(command.stream), execute.partition);
        end if;

        outcome.message := cqrs.invalid_command(command);

        if outcome.message is not null then
            outcome.code := 'invalid-command';

        elsif holders[head] is not null then
            outcome.status := 'parked';
            outcome.code := 'stream-held';
            outcome.message := format('The stream waits for command %s, which failed.', holders[head]);

            insert into cqrs.parked (partition, id, stream, command, code, message)
            values (execute.partition, command.id, command.stream, item.whole, outcome.code, outcome.message);

        else
            outcome.message := cqrs.version_conflict(command.expected_version, versions[head]);

            if outcome.message is not null then
                outcome.code := 'conflict';

            else
                decision := cqrs.dispatch_decide(category, states[head], command);

                if decision is null then
                    outcome.code := 'unknown-category';
                    outcome.message := format('No domain is registered for the category %s.', category);

                elsif decision.code is not null then
                    outcome.code := decision.code;
                    outcome.message := decision.message;
                    outcome.detail := decision.detail;

                else
                    outcome.status := 'completed';
                end if;
            end if;
        end if;

        if outcome.status = 'completed' and cardinality(decision.events) > 0 then

            metadata := jsonb_strip_nulls(jsonb_build_object(
                'command_id', command.id, 'correlation_id', command.correlation_id,
                'causation_id', command.causation_id, 'user_id', command.user_id,
                'claims', command.claims, 'traceparent', command.traceparent));

            touched[head] := true;

            for i in 1 .. cardinality(decision.events) loop
                made := decision.events[i];
                last_position := last_position + 1;
                versions[head] := versions[head] + 1;
                states[head] := cqrs.dispatch_evolve(category, states[head], made);

                event := row(execute.partition, last_position,
                             cqrs.derive_id(command.id, 'event:' || i), command.stream, versions[head],
                             made.type, coalesce(made.data, '{}'), metadata, at);
                appended := appended || event;

                for told in select * from cqrs.dispatch_notify(category, event) loop
                    notes := notes + 1;
                    last_sequence := last_sequence + 1;
                    notices := notices || row(item.ordinal, last_sequence, told.channel,
                        cqrs.notification_envelope(cqrs.derive_id(command.id, 'notification:' || notes + 1),
                            source, told.type, command.stream, at, told.data))::cqrs.notice;
                end loop;
            end loop;

            outcome.version := versions[head];
            outcome.position := last_position;
        end if;

        -- the outcome is notification 1; it follows what the domain tells

        if command.user_id is not null then
            last_sequence := last_sequence + 1;
            notices := notices || row(item.ordinal, last_sequence, 'user:' || command.user_id,
                cqrs.notification_envelope(cqrs.derive_id(command.id, 'notification:1'),
                    source, cqrs.outcome_type(outcome.status), command.stream, at,
                    cqrs.outcome_data(command.id, command.type, command.stream, outcome.version,
                                      outcome.code, outcome.message, outcome.detail)))::cqrs.notice;
        end if;

        outcomes := outcomes || outcome;
        statuses[item.ordinal] := outcome.status;
    end loop;

    insert into cqrs.inbox select * from unnest(outcomes);

    insert into cqrs.events select * from unnest(appended);

    insert into cqrs.streams as s (stream, partition, version, state)
    select h.stream, execute.partition, h.version, h.state
      from unnest(names, versions, states, touched) as h (stream, version, state, touched)
     where h.touched
    on conflict (stream) do update set version = excluded.version, state = excluded.state;

    insert into cqrs.notifications (partition, sequence, channel, body, recorded_at)
    select execute.partition, n.sequence, n.channel, n.body, at from unnest(notices) as n;

    perform cqrs.dispatch_project(e.category, e.events)
       from (select cqrs.category_of(a.stream) as category, array_agg(a order by a.position) as events
               from unnest(appended) as a
              group by 1) as e;

    return query
    select o.ordinal::integer, o.status, o.duplicate, n.sequence, n.channel, n.body
      from unnest(statuses, duplicates) with ordinality as o (status, duplicate, ordinal)
      left join unnest(notices) as n on n.ordinal = o.ordinal
     order by o.ordinal, n.sequence;
end $$;

comment on function cqrs.execute(integer, bigint, jsonb) is
    'Executes a batch of commands for a partition: finds duplicates, decides, appends, folds, projects, '
    'records outcomes and notifications. One row per command and notification, by ordinal and sequence. '
    'QS001 if the epoch is not the current one, QS002 if a command belongs to another partition.';
