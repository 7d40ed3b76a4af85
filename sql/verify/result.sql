do $$
begin
    if pg_catalog.to_regtype('cqrs.verification') is null then

        create type cqrs.verification as (
            checked  text,
            wrong    bigint,
            examples text[],
            skipped  text
        );

    end if;
end $$;

comment on type cqrs.verification is
    'What a check of "cqrs-consumer verify" found. checked: how much there was to look at; wrong: how much of it is; '
    'examples: sentences on the first few; skipped: why nothing, or not all, was looked at.';


create or replace function cqrs.count_of(n bigint, one text, many text)
    returns text language sql immutable parallel safe
    return n || ' ' || case n when 1 then one else many end;

comment on function cqrs.count_of(bigint, text, text) is
    'A number and its noun.';
