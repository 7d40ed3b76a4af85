-- What a handler in C has decided.  The daemon took its states from memory: whether they
-- are the newest is seen here, where nobody else can write, and so is whether a command
-- has an outcome already.  Where the daemon was wrong about one of them nothing is
-- written, for the others may have been decided on what that one did.

create or replace function cqrs.append(partition integer, epoch bigint, commands jsonb, decisions jsonb, heads jsonb)
    returns table (ordinal integer, status text, duplicate boolean, version bigint, code text, message text,
                   detail jsonb, sequence bigint, channel text, body text)
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    -- of each stream that was decided on
    streams  text[];
    bases    bigint[];
    ends     bigint[];
    folds    jsonb[];
    tokens   text[];

    outcomes cqrs.outcome[];
    firsts   integer[];
    repeated boolean;
    agreed   boolean;
    stranger text;
    other    text;
    outcome  cqrs.outcome;
begin
    perform cqrs.own_partition(append.partition, append.epoch);

    select array_agg(h.stream), array_agg(h.base), array_agg(h.head), array_agg(h.state), array_agg(h.token)
      into streams, bases, ends, folds, tokens
      from jsonb_to_recordset(heads) as h (stream text, base bigint, head bigint, state jsonb, token text);

    select array_agg(row(c.command, c.category, c.duplicate, c.tell,
                         coalesce(c.status, case when d.code is null then 'completed' else 'rejected' end),
                         case when d.n is null then c.decision
                              else row(d.events, d.code, d.message, d.detail)::cqrs.decision end,
                         case when d.n is null then c.outcome_version else d.version end)::cqrs.outcome
                     order by c.ordinal),
           array_agg(c.first order by c.ordinal),
           coalesce(bool_or(c.first < c.ordinal), false),
           coalesce(bool_and(case when c.status is not null or c.first < c.ordinal then d.n is null
                                  when d.n is null or h.base is distinct from c.version then false
                                  when c.folded = c.version then true
                                  else coalesce(h.token = cqrs.state_token(c.stream), false) end), true),
           min(c.stream) filter (where c.partition <> append.partition),
           min(c.category) filter (where not c.handled)
      into outcomes, firsts, repeated, agreed, stranger, other
      from cqrs.read_batch(commands) as c
      left join jsonb_to_recordset(decisions) as d (n integer, version bigint, events cqrs.new_event[],
                                                    code text, message text, detail jsonb) on d.n = c.ordinal
      left join unnest(streams, bases, tokens) as h (stream, base, token) on h.stream = c.stream;

    if stranger is not null then
        raise exception using errcode = 'QS002',
            message = format('stream %s belongs to partition %s, not %s',
                             stranger, cqrs.partition_of(stranger), append.partition);
    end if;

    if other is not null then
        raise exception using errcode = 'QS002',
            message = format('category %s is decided in SQL: the daemon must not have a handler for it', other);
    end if;

    if not agreed then
        return query select 0, 'stale', false, null::bigint, null, null, null::jsonb, null::bigint, null, null;
        return;
    end if;

    if repeated then
        for n in 1 .. cardinality(outcomes) loop
            if firsts[n] < n then
                outcome := outcomes[n];
                outcome.status := (outcomes[firsts[n]]).status;
                outcome.decision := (outcomes[firsts[n]]).decision;
                outcome.version := (outcomes[firsts[n]]).version;
                outcomes[n] := outcome;
            end if;
        end loop;
    end if;

    -- what was folded anew is kept, also where nothing came of it

    if array_length(array_remove(tokens, null), 1) > 0 then
        update cqrs.streams as s
           set state = h.state, folded = s.version
          from unnest(streams, bases, ends, folds, tokens) as h (stream, base, head, state, token)
         where s.stream = h.stream and h.token is not null and h.head = h.base;
    end if;

    return query
    select * from cqrs.record_batch(append.partition, commands, outcomes, streams, ends, folds);
end $$;

comment on function cqrs.append(integer, bigint, jsonb, jsonb, jsonb) is
    'Records what a handler in C has decided. commands: as for cqrs.execute; decisions: of each command without an '
    'outcome {n, version, events | code, message, detail}, n counts from 1; heads: of each stream that was decided on '
    '{stream, base, head, state, token}. Returns what cqrs.execute returns; or, with nothing written, one row '
    'with ordinal 0 and status stale: cqrs.load tells what has changed. QS001, QS002 as there.';
