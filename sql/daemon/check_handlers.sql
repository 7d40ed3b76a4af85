create or replace function cqrs.check_handlers(categories text[])
    returns void language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    wrong text;
begin
    select min(c.category) into wrong
      from cqrs.categories as c
     where c.category = any (categories) and c.decide is not null;

    if wrong is not null then
        raise exception using errcode = 'QS002',
            message = format('category %s is decided in SQL: the daemon must not have a handler for it', wrong);
    end if;

    select min(c.category) into wrong
      from cqrs.categories as c
     where c.category <> all (categories) and c.decide is null;

    if wrong is not null then
        raise exception using errcode = 'QS002',
            message = format('category %s is decided by a handler in C: start the daemon with --handler', wrong);
    end if;
end $$;

comment on function cqrs.check_handlers(text[]) is
    'QS002 unless a daemon with handlers for these categories, and no others, can do all that is registered.';
