create or replace function cqrs.personal_fault(stream text, type text, subject text, personal jsonb)
    returns text language sql immutable parallel safe
    return case
        when personal is null then null
        when coalesce(subject, '') = '' then format('event %s of stream %s has personal data, but no subject', type, stream)
        when jsonb_typeof(personal) <> 'object' then
            format('event %s of stream %s has personal data, but it is no object', type, stream)
    end;

comment on function cqrs.personal_fault(text, text, text, jsonb) is
    'Why what is personal in an event can''t be sealed; null: it can, or nothing is.';


-- Only called where there is something personal: other batches know nothing of keys.
--
-- Two batches may want a key for the same subject at once: the second waits for the
-- first to commit, and takes its key.  Both take subjects in the same order.  An
-- erasure waits for the batches in hand, so a key that was read here is not destroyed
-- before what it sealed is there.

create or replace function cqrs.seal(events cqrs.event[])
    returns bytea[] language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    fault text;
begin
    select min(cqrs.personal_fault(e.stream, e.type, e.subject, e.personal)) into fault from unnest(events) as e;

    if fault is not null then
        raise exception using errcode = '22023', message = fault;
    end if;

    insert into cqrs.subjects as s (subject, generation, key, created_at)
    select w.subject, 1, cqrs.new_key(), clock_timestamp()
      from (select distinct e.subject from unnest(events) as e where e.personal is not null) as w
     where not exists (select from cqrs.subjects as k where k.subject = w.subject and k.key is not null)
     order by w.subject collate "C"
    on conflict (subject) do update
       set generation = s.generation + 1, key = excluded.key, created_at = excluded.created_at
     where s.key is null;

    insert into cqrs.subject_streams (subject, stream)
    select distinct e.subject, e.stream from unnest(events) as e where e.personal is not null
    on conflict do nothing;

    return (select array_agg(case when s.key is not null then cqrs.seal_with(s.key, s.generation, e.personal) end
                             order by e.position)
              from unnest(events) as e
              left join cqrs.subjects as s on s.subject = e.subject and e.personal is not null);
end $$;

comment on function cqrs.seal(cqrs.event[]) is
    'What is personal in these events, sealed; null where nothing is. They are in the order of their positions. Makes the '
    'keys that are missing.';


create or replace function cqrs.unseal(subject text, sealed bytea)
    returns jsonb language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
as $$
begin
    return (select cqrs.open_with(s.key, sealed)
              from cqrs.subjects as s
             where s.subject = unseal.subject and s.key is not null and s.generation = cqrs.generation_of(sealed));
end $$;

comment on function cqrs.unseal(text, bytea) is
    'What was sealed; null if it was erased.';
