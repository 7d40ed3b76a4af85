create or replace function cqrs.make_inbox_part(at timestamptz)
    returns void language plpgsql
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
    set client_min_messages = warning
as $$
declare
    from_month constant date := date_trunc('month', at);
    to_month   constant date := from_month + interval '1 month';
    part       constant text := 'inbox_' || to_char(from_month, 'YYYY_MM');
begin
    lock table cqrs.inbox_parts in share row exclusive mode;

    if exists (select from cqrs.inbox_parts as p where p.month >= from_month) then
        return;
    end if;

    execute format('create table cqrs.%I (like cqrs.inbox including defaults including constraints)', part);
    execute format('alter table cqrs.%I add primary key (id)', part);
    execute format('comment on table cqrs.%I is %L', part,
                   format('The commands of %s.', to_char(from_month, 'YYYY-MM')));
    execute format('alter table cqrs.inbox attach partition cqrs.%I for values from (%s) to (%L)', part,
                   coalesce((select quote_literal((max(p.month) + interval '1 month')::timestamptz)
                               from cqrs.inbox_parts as p), 'minvalue'),
                   to_month::timestamptz);

    insert into cqrs.inbox_parts (month) values (from_month);

    perform cqrs.make_inbox_span();
end $$;

comment on function cqrs.make_inbox_part(timestamptz) is
    'Makes the part of the inbox for the month of that time (UTC), unless there is one for it or a later one.';


-- The two limits are written into the function: reading them from a table would cost
-- each batch more than the question is worth.

create or replace function cqrs.make_inbox_span()
    returns void language plpgsql
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $make$
begin
    execute format($sql$
        create or replace function cqrs.inbox_span(out since timestamptz, out beyond timestamptz)
            language sql immutable parallel safe
            return row(%L::timestamptz, %L::timestamptz) $sql$,
        (select coalesce(min(p.month)::timestamptz, 'infinity') from cqrs.inbox_parts as p),
        (select coalesce((max(p.month) + interval '1 month')::timestamptz, '-infinity') from cqrs.inbox_parts as p));

    comment on function cqrs.inbox_span() is
        'Between which times there are parts of the inbox. Made by cqrs.make_inbox_span.';
end $make$;

comment on function cqrs.make_inbox_span() is
    'Writes cqrs.inbox_span.';


do $$ begin perform cqrs.make_inbox_span(), cqrs.make_inbox_part(now()); end $$;
