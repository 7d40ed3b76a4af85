-- A batch of commands in one statement: this file decides, record_batch writes.
--
-- What can be said of all commands at once (is it known already, may it be asked at
-- all, is its stream held) is one query.  Then they are decided one after the other,
-- in memory: a command sees what those before it in the batch did to its stream.  A
-- rejection is a value; nothing here needs a subtransaction.

create or replace function cqrs.execute(partition integer, epoch bigint, commands jsonb)
    returns table (ordinal integer, status text, duplicate boolean, version bigint, code text, message text,
                   detail jsonb, sequence bigint, channel text, body text)
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    -- of each command, by ordinal
    outcomes  cqrs.outcome[];
    firsts    integer[];        -- where its id is met first
    places    integer[];        -- of its stream, in the next three
    versions  bigint[];         -- of its stream, before the batch
    states    jsonb[];

    -- of each stream that is decided on
    streams   text[];
    heads     bigint[];
    folds     jsonb[];

    stranger  text;
    handled   text;
    outcome   cqrs.outcome;
    command   cqrs.command;
    decision  cqrs.decision;
    event     cqrs.new_event;
    place     integer;
begin
    perform cqrs.own_partition(execute.partition, execute.epoch);

    -- array_agg keeps the order of the subquery

    select array_agg(row(c.command, c.category, c.duplicate, c.tell, c.status, c.decision,
                         c.outcome_version)::cqrs.outcome),
           array_agg(c.first), array_agg(c.place), array_agg(c.version), array_agg(c.state),
           min(c.stream) filter (where c.partition <> execute.partition),
           min(c.category) filter (where c.handled and c.status is null)
      into outcomes, firsts, places, versions, states, stranger, handled
      from cqrs.read_batch(commands) as c;

    if stranger is not null then
        raise exception using errcode = 'QS002',
            message = format('stream %s belongs to partition %s, not %s',
                             stranger, cqrs.partition_of(stranger), execute.partition);
    end if;

    if handled is not null then
        raise exception using errcode = 'QS002',
            message = format('category %s is decided by a handler in C: start the daemon with --handler', handled);
    end if;

    for n in 1 .. coalesce(cardinality(outcomes), 0) loop

        outcome := outcomes[n];

        if firsts[n] < n then
            outcome.status := (outcomes[firsts[n]]).status;
            outcome.decision := (outcomes[firsts[n]]).decision;
            outcome.version := (outcomes[firsts[n]]).version;
            outcomes[n] := outcome;
        end if;

        continue when outcome.status is not null;

        command := outcome.command;
        place := places[n];

        if streams[place] is null then
            streams[place] := command.stream;
            heads[place] := versions[n];
            folds[place] := states[n];
        end if;

        decision := null;

        if command.expected_version is not null then
            decision := cqrs.version_conflict(command.expected_version, heads[place]);
        end if;

        if decision is null then
            decision := cqrs.dispatch_decide(outcome.category, folds[place], command);
        end if;

        if decision is null then
            decision := cqrs.reject('unknown-command', format('There is no command %s.', command.type));
        end if;

        if decision.code is null then
            foreach event in array decision.events loop
                folds[place] := cqrs.dispatch_evolve(outcome.category, folds[place], event);
            end loop;

            heads[place] := heads[place] + cardinality(decision.events);
            outcome.status := 'completed';
        else
            outcome.status := 'rejected';
        end if;

        outcome.decision := decision;
        outcome.version := heads[place];
        outcomes[n] := outcome;
    end loop;

    return query
    select * from cqrs.record_batch(execute.partition, commands, outcomes, streams, heads, folds);
end $$;

comment on function cqrs.execute(integer, bigint, jsonb) is
    'Executes a batch of commands of a partition: finds duplicates, decides, appends, folds, projects, '
    'records outcomes and notifications. One row per command and notification, by ordinal and sequence, with the '
    'outcome: of a duplicate the original one. '
    'QS001 if the epoch is not the current one, QS002 if a command belongs to another partition.';
