-- A domain is tested here without a server and without a store: decide and evolve are
-- called as cqrs.execute calls them, nothing is written.
--
-- pgTAP is asked to say the result.  It is looked for when it is needed, wherever it
-- was installed, so that the store does without it.

create or replace function cqrs.spec_run(category text, given cqrs.new_event[], command cqrs.command,
    out decision cqrs.decision, out state jsonb, out fault text)
    language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    head   bigint := coalesce(cardinality(given), 0);
    reason text;
    event  cqrs.new_event;
begin
    foreach event in array coalesce(given, '{}') loop
        state := cqrs.dispatch_evolve(category, state, event);
    end loop;

    reason := cqrs.invalid_command(command);

    if reason is not null then
        decision := cqrs.reject('invalid-command', reason);
    elsif not exists (select from cqrs.categories as c where c.category = spec_run.category) then
        decision := cqrs.reject('unknown-category', format('There is nothing called %s here.', category));
    elsif command.expected_version is not null then
        decision := cqrs.version_conflict(command.expected_version, head);
    end if;

    if decision is null then
        decision := cqrs.dispatch_decide(category, state, command);
    end if;

    if decision is null then
        decision := cqrs.reject('unknown-command', format('There is no command %s.', command.type));
    end if;

    if decision.code is null then
        foreach event in array decision.events loop
            state := cqrs.dispatch_evolve(category, state, event);
            fault := coalesce(fault, '22023 ' || cqrs.personal_fault(command.stream, event.type, event.subject, event.personal));
        end loop;
    end if;

exception when others then
    fault := format('%s %s', sqlstate, sqlerrm);
end $$;

comment on function cqrs.spec_run(text, cqrs.new_event[], cqrs.command) is
    'What becomes of a command where these events have happened, and of the state; fault: what was raised.';


create or replace function cqrs.spec_differences(expected cqrs.decision, got cqrs.decision)
    returns text[] language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
declare
    wanted constant integer := cardinality(expected.events);
    there  constant integer := cardinality(got.events);
    found  text[] := '{}';
    one    cqrs.new_event;
    other  cqrs.new_event;
begin
    if expected.code is null and got.code is not null then
        return array['it was rejected'];
    end if;

    if expected.code is not null then
        if got.code is null then
            return array['it was accepted'];
        end if;

        return array_remove(array[
            case when expected.code <> got.code then 'the code' end,
            case when expected.message is distinct from got.message and expected.message is not null
                then 'the message' end,
            case when expected.detail is distinct from got.detail and expected.detail is not null
                then 'the detail' end], null);
    end if;

    for n in 1 .. least(wanted, there) loop
        one := expected.events[n];
        other := got.events[n];

        found := found || array_remove(array[
            case when one.type is distinct from other.type then format('the type of event %s', n) end,
            case when one.data is distinct from other.data then format('the data of event %s', n) end,
            case when one.revision is distinct from other.revision then format('the revision of event %s', n) end,
            case when one.subject is distinct from other.subject then format('the subject of event %s', n) end,
            case when one.personal is distinct from other.personal then format('what is personal in event %s', n) end],
            null);
    end loop;

    if wanted <> there then
        found := found || format('the number of events: %s, not %s', there, wanted);
    end if;

    return found;
end $$;

comment on function cqrs.spec_differences(cqrs.decision, cqrs.decision) is
    'In what a decision differs from the one that was expected; what the latter leaves out may be anything.';


-- A part of the explanation: its name, then its lines below each other.

create or replace function cqrs.spec_lines(label text, lines text)
    returns text language sql immutable
    return lpad(label, 10) || ': ' || replace(coalesce(nullif(lines, ''), 'nothing'), e'\n', e'\n' || repeat(' ', 12));

comment on function cqrs.spec_lines(text, text) is
    'A labelled part of what cqrs.spec says about a failure.';


create or replace function cqrs.spec_events(events cqrs.new_event[])
    returns text language sql immutable
    return (select string_agg(concat_ws(' ', e.type, e.data, 'revision ' || nullif(e.revision, 1), 'of ' || e.subject,
                                        e.personal), e'\n')
              from unnest(events) as e);

comment on function cqrs.spec_events(cqrs.new_event[]) is
    'Events for people, one a line.';


create or replace function cqrs.spec_decision(decision cqrs.decision)
    returns text language sql immutable
    return case when decision.code is null
        then coalesce(cqrs.spec_events(decision.events), 'accepted, no events')
        else concat_ws(' ', 'rejected', decision.code, to_json(decision.message), decision.detail) end;

comment on function cqrs.spec_decision(cqrs.decision) is
    'A decision for people.';


create or replace function cqrs.spec_command(command cqrs.command)
    returns text language sql immutable
    return concat_ws(' ', command.stream, command.type, command.data,
        'by ' || command.user_id, 'with claims ' || command.claims::text, 'expecting ' || command.expected_version,
        'caused by ' || command.causation_id, 'issued at ' || command.issued_at);

comment on function cqrs.spec_command(cqrs.command) is
    'A command for people.';


create or replace function cqrs.spec(description text, category text, given cqrs.new_event[],
    "when" cqrs.command, "then" cqrs.decision, state jsonb default null)
    returns text language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    tap         constant text := (select n.nspname from pg_extension as e
                                    join pg_namespace as n on n.oid = e.extnamespace
                                   where e.extname = 'pgtap');
    command     cqrs.command := "when";
    got         record;
    differences text[];
    said        text;
begin
    if tap is null then
        raise exception using errcode = 'QS002',
            message = 'cqrs.spec says its results through pgTAP, which is not in this database',
            hint = 'create extension pgtap';
    end if;

    if "when" is null or "then" is null then
        raise exception using errcode = 'QS002',
            message = format('spec "%s" does not say %s', description,
                             case when "when" is null then 'when: the command' else 'then: what is expected' end);
    end if;

    command.id := coalesce(command.id, '00000000-0000-8000-8000-000000000001');
    command.stream := coalesce(command.stream, category || '-1');
    command.correlation_id := coalesce(command.correlation_id, command.id::text);

    if cqrs.category_of(command.stream) <> category then
        raise exception using errcode = 'QS002',
            message = format('spec "%s": stream %s is not of category %s', description, command.stream, category);
    end if;

    got := cqrs.spec_run(category, given, command);

    differences := case when got.fault is not null then array['it failed']
                        else cqrs.spec_differences("then", got.decision) end;

    if got.fault is null and state is distinct from coalesce(got.state, 'null') and state is not null then
        differences := differences || 'the state'::text;
    end if;

    -- pgTAP's functions call each other by their bare names

    perform set_config('search_path', format('%I, pg_catalog, pg_temp', tap), true);

    execute format('select %I.ok($1, $2)', tap) into said using cardinality(differences) = 0, description;

    if cardinality(differences) > 0 then
        execute format('select $1 || e''\n'' || %I.diag($2)', tap) into said using said, concat_ws(e'\n',
            cqrs.spec_lines('given', cqrs.spec_events(given)),
            cqrs.spec_lines('when', cqrs.spec_command("when")),
            cqrs.spec_lines('expected', cqrs.spec_decision("then")),
            cqrs.spec_lines('got', coalesce(got.fault, cqrs.spec_decision(got.decision))),
            case when state is not null then cqrs.spec_lines('state', state::text) end,
            case when state is not null then cqrs.spec_lines('got state', coalesce(got.state, 'null')::text) end,
            cqrs.spec_lines('differs', array_to_string(differences, ', ')));
    end if;

    return said;
end $$;

comment on function cqrs.spec(text, text, cqrs.new_event[], cqrs.command, cqrs.decision, jsonb) is
    'A row of TAP: where these events have happened, this command gets this decision (and leaves this state; '
    'the JSON null: none). A rejection''s message and detail are compared if they are not null.';


-- The same from JSON, so that a domain in SQL and one in C share their examples.  A
-- misspelt member would be an example that checks less than it seems to.

create or replace function cqrs.spec_members(name text, part text, object jsonb, variadic known text[])
    returns void language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
declare
    strange text;
begin
    if object is not null and jsonb_typeof(object) <> 'object' then
        raise exception using errcode = 'QS002',
            message = format('spec "%s": %s is not an object', name, part);
    end if;

    select k into strange from jsonb_object_keys(object) as k where k <> all (known);

    if strange is not null then
        raise exception using errcode = 'QS002',
            message = format('spec "%s": %s has a member "%s", which means nothing', name, part, strange);
    end if;
end $$;

comment on function cqrs.spec_members(text, text, jsonb, text[]) is
    'Refuses a part of an example that is no object or has a member that is not known.';


create or replace function cqrs.spec_events_of(name text, part text, events jsonb)
    returns cqrs.new_event[] language plpgsql immutable set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(events) <> 'array' then
        raise exception using errcode = 'QS002',
            message = format('spec "%s": %s is not an array of events', name, part);
    end if;

    perform cqrs.spec_members(name, format('event %s of %s', e.n, part), e.event, 'type', 'data', 'revision', 'subject',
                              'personal')
       from jsonb_array_elements(events) with ordinality as e (event, n);

    return array(select cqrs.event(e.event->>'type', e.event->'data', (e.event->>'revision')::integer,
                                   e.event->>'subject', nullif(e.event->'personal', 'null'))
                   from jsonb_array_elements(events) with ordinality as e (event, n)
                  order by e.n);
end $$;

comment on function cqrs.spec_events_of(text, text, jsonb) is
    'The events of an example.';


create or replace function cqrs.spec(category text, fixture jsonb)
    returns text language plpgsql set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    name     constant text := fixture->>'name';
    asked    constant jsonb := fixture->'when';
    expected constant jsonb := fixture->'then';
    refused  constant jsonb := expected->'rejected';
    decision cqrs.decision;
    command  cqrs.command;
begin
    perform cqrs.spec_members(name, 'it', fixture, 'name', 'given', 'when', 'then', 'state');
    perform cqrs.spec_members(name, 'when', asked, 'id', 'stream', 'type', 'data', 'user', 'claims',
        'expected_version', 'correlation_id', 'causation_id', 'traceparent', 'issued_at');
    perform cqrs.spec_members(name, 'then', expected, 'events', 'rejected');
    perform cqrs.spec_members(name, 'rejected', refused, 'code', 'message', 'detail');

    if asked is not null then
        command := row((asked->>'id')::uuid, asked->>'stream', asked->>'type', coalesce(asked->'data', '{}'),
                       asked->>'user', asked->'claims', asked->>'expected_version', asked->>'correlation_id',
                       asked->>'causation_id', asked->>'traceparent', (asked->>'issued_at')::timestamptz);
    end if;

    if (expected ? 'events') = (expected ? 'rejected') or refused is not null and refused->>'code' is null then
        raise exception using errcode = 'QS002',
            message = format('spec "%s": then must have either events or rejected, the latter with a code', name);
    end if;

    if refused is not null then
        decision := cqrs.reject(refused->>'code', refused->>'message', refused->'detail');
    elsif expected is not null then
        decision := cqrs.accept(variadic cqrs.spec_events_of(name, 'then', expected->'events'));
    end if;

    return cqrs.spec(name, category, cqrs.spec_events_of(name, 'given', coalesce(fixture->'given', '[]')),
                     command, decision, fixture->'state');
end $$;

comment on function cqrs.spec(text, jsonb) is
    'cqrs.spec of an example in JSON: {"name", "given": [events], "when": {command}, "then": {"events": […]} or '
    '{"rejected": {"code", "message", "detail"}}, "state"}.';
