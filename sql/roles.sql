-- Roles belong to the cluster, not to the database: another store may have made
-- them already, or make them at this moment.

do $$
declare
    name text;
begin
    foreach name in array array['cqrs_consumer', 'cqrs_reader'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = name) then
            begin
                execute pg_catalog.format('create role %I login', name);
            exception when duplicate_object or unique_violation then
                null;
            end;
        end if;
    end loop;
end $$;
