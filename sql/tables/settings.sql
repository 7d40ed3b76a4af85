create table if not exists cqrs.settings (
    name  text primary key,
    value text not null
);

comment on table cqrs.settings is 'What is fixed at the first install: partitions (how many), source (of all CloudEvents).';

insert into cqrs.settings (name, value) values
    ('partitions', coalesce(nullif(current_setting('cqrs.partitions', true), ''), '4')),
    ('source', '/cqrs')
on conflict do nothing;

do $$
declare
    wanted text := nullif(current_setting('cqrs.partitions', true), '');
    fixed  text := (select value from cqrs.settings where name = 'partitions');
begin
    if fixed !~ '^[1-9][0-9]{0,3}$' then
        raise exception using errcode = '22023',
            message = pg_catalog.format('cqrs.partitions is %s, it must be a number from 1 to 9999', fixed);
    end if;

    if wanted <> fixed then
        raise exception using errcode = '22023',
            message = pg_catalog.format('this store has %s partitions, which cannot become %s: '
                'streams would change their partition', fixed, wanted);
    end if;
end $$;
