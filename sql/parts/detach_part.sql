create or replace function cqrs.detach_part(relation text, partition integer, number integer)
    returns text language plpgsql
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '5s'
as $$
#variable_conflict use_column
declare
    part constant text := format('%s_%s_%s', relation, partition, number);
begin
    lock table cqrs.parts in share row exclusive mode;

    if not exists (select from cqrs.parts as p
                    where (p.relation, p.partition, p.number)
                        = (detach_part.relation, detach_part.partition, detach_part.number))
    then
        raise exception using errcode = '22023', message = format('there is no part %s', part);
    end if;

    if exists (select from cqrs.parts as p
                where p.relation = detach_part.relation and p.partition = detach_part.partition
                  and p.number < detach_part.number)
    then
        raise exception using errcode = '22023',
            message = format('%s is not the oldest part of its partition; older ones go first', part);
    end if;

    if not exists (select from cqrs.parts as p
                    where p.relation = detach_part.relation and p.partition = detach_part.partition
                      and p.number > detach_part.number)
    then
        raise exception using errcode = '22023',
            message = format('%s is the newest part of its partition, which is being written', part);
    end if;

    execute format('alter table cqrs.%I detach partition cqrs.%I', format('%s_%s', relation, partition), part);

    delete from cqrs.parts as p
     where (p.relation, p.partition, p.number)
         = (detach_part.relation, detach_part.partition, detach_part.number);

    return format('cqrs.%I', part);
end $$;

comment on function cqrs.detach_part(text, integer, integer) is
    'Takes the oldest part of the events or notifications of a partition out of the store; it stays as a table of its '
    'own, whose name is returned. Writers wait for it, 5 s at most, then 55P03. Streams that have events in a part '
    'that is gone can''t be folded or projected anew.';
