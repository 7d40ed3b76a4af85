create or replace function cqrs.set_part_size(relation text, rows bigint)
    returns void language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    if rows is null or rows < 1 then
        raise exception using errcode = '22023',
            message = format('a part holds 1 row at least, not %s', rows);
    end if;

    update cqrs.part_sizes as s set rows = set_part_size.rows where s.relation = set_part_size.relation;

    if not found then
        raise exception using errcode = '22023',
            message = format('events and notifications are cut into parts of a size, not "%s"', relation);
    end if;
end $$;

comment on function cqrs.set_part_size(text, bigint) is
    'How many rows each part of events or notifications holds (1,000,000); counts for those made from now on.';
