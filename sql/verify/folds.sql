-- For categories that are folded in C: the daemon asks for the events, folds them,
-- and asks whether the states are those.

create or replace function cqrs.verify_logs(category text, after text, max integer)
    returns table (stream text, later boolean, complete boolean, events text)
    language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select s.stream, s.folded < s.version, l.count = s.version,
           case when s.folded = s.version and l.count = s.version then l.events end
      from (select * from cqrs.streams as s
             where cqrs.category_of(s.stream) = verify_logs.category and s.stream > verify_logs.after
             order by s.stream
             limit verify_logs.max) as s
     cross join lateral (
           select count(*) as count,
                  jsonb_agg(cqrs.event_to_fold(o.event) order by (o.event).version)::text as events
             from (select cqrs.opened_event(e) as event from cqrs.events as e
                    where e.partition = s.partition and e.stream = s.stream offset 0) as o) as l
     order by s.stream;
end $$;

comment on function cqrs.verify_logs(text, text, integer) is
    'The events of the next streams of a category after one, as they are to be folded. later: it is to be folded anew '
    'anyway; not complete: some are missing. Then there are none.';


create or replace function cqrs.verify_folds(folds jsonb)
    returns table (stream text)
    language sql stable set search_path = pg_catalog, pg_temp
as $$
    select s.stream
      from jsonb_to_recordset($1) as f (stream text, state jsonb)
      join cqrs.streams as s on s.stream = f.stream
     where s.state is distinct from f.state
     order by s.stream
$$;

comment on function cqrs.verify_folds(jsonb) is
    'The streams whose state is not the one given: an array of objects with "stream" and "state".';
