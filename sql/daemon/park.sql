create or replace function cqrs.park(partition integer, epoch bigint, command jsonb, reason_code text, reason text)
    returns table (ordinal integer, status text, duplicate boolean, version bigint, code text, message text,
                   detail jsonb, sequence bigint, channel text, body text)
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    batch    constant jsonb := jsonb_build_array(command);
    stranger text;
    outcome  cqrs.outcome;
begin
    perform cqrs.own_partition(park.partition, park.epoch);

    select c.command, c.category, c.duplicate, not c.duplicate, c.status, c.decision, c.outcome_version,
           case when c.partition <> park.partition then c.stream end
      into outcome.command, outcome.category, outcome.duplicate, outcome.tell, outcome.status,
           outcome.decision, outcome.version, stranger
      from cqrs.read_batch(batch) as c;

    if stranger is not null then
        raise exception using errcode = 'QS002',
            message = format('stream %s belongs to partition %s, not %s',
                             stranger, cqrs.partition_of(stranger), park.partition);
    end if;

    if command ? 'release' then

        -- unless it has an end now, it stays where it is

        if not outcome.duplicate and outcome.status is null then
            outcome.duplicate := true;
            outcome.status := 'parked';
            outcome.decision := cqrs.reject(coalesce(park.reason_code, 'failed'), coalesce(park.reason, 'It failed.'));
            outcome.tell := cqrs.keep_parked((outcome.command).id, (outcome.decision).code, (outcome.decision).message);
        end if;

    elsif not outcome.duplicate then
        outcome.status := 'parked';
        outcome.decision := cqrs.reject(coalesce(park.reason_code, 'failed'), coalesce(park.reason, 'It failed.'));
    end if;

    return query
    select * from cqrs.record_batch(park.partition, batch, array[outcome], null, null, null);
end $$;

comment on function cqrs.park(integer, bigint, jsonb, text, text) is
    'Puts a command aside that fails by itself, tells its issuer, and holds its stream: what follows for '
    'that stream is parked behind it. reason_code: the SQLSTATE. A command that has an outcome already keeps it; one '
    'that was released is parked in its old place, and its issuer hears of it if the reason is another one.';
