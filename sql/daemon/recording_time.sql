create or replace function cqrs.recording_time()
    returns timestamptz language plpgsql set search_path = pg_catalog, pg_temp
as $$
declare
    at   timestamptz := clock_timestamp();
    span record;
begin
    select * into span from cqrs.inbox_span();

    if at >= span.beyond then
        perform cqrs.make_inbox_part(at);
    end if;

    -- a clock that was set back does not lead to where the inbox has been cleaned

    return greatest(at, span.since);
end $$;

comment on function cqrs.recording_time() is
    'The time of a batch; and the inbox has a part for it.';
