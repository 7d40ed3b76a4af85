-- Bodies of the form "return ..." are bound when they are created: no search_path
-- can reach them.  The planner puts them in place of the call, unless they are said
-- to be more constant than what they call: convert_to(), to_json(), to_char() are
-- stable, and so is all that uses them.

create or replace function cqrs.partition_count()
    returns integer language sql stable parallel safe security definer
    set search_path = pg_catalog, pg_temp
    return (select count(*)::integer from cqrs.partitions);

comment on function cqrs.partition_count() is
    'How many partitions the store has; fixed when it was installed.';


create or replace function cqrs.stream_number(stream text)
    returns bigint language sql stable parallel safe
    return ('x' || encode(substr(sha256(convert_to(stream, 'UTF8')), 1, 4), 'hex'))::bit(32)::bigint;

comment on function cqrs.stream_number(text) is
    'A number that only depends on the name of the stream, 0 to 2^32 - 1.';


create or replace function cqrs.partition_of(stream text)
    returns integer language sql stable parallel safe security definer
    set search_path = pg_catalog, pg_temp
    return cqrs.stream_number(stream) % cqrs.partition_count();

comment on function cqrs.partition_of(text) is
    'The partition of a stream; the same as cqrs_partition_of() in C.';


-- The variant is two bits, 10, the version a digit, 8.  The hash is written once, so
-- that the planner can put this in place of the call.

create or replace function cqrs.derive_id(parent uuid, name text)
    returns uuid language sql stable parallel safe
    return overlay(
        encode(set_bit(set_bit(
            substr(sha256(uuid_send(parent) || convert_to(name, 'UTF8')), 1, 16),
            71, 1), 70, 0), 'hex')
        placing '8' from 13 for 1)::uuid;

comment on function cqrs.derive_id(uuid, text) is
    'A UUID v8 made of another id and a name; the same as cqrs_uuid_derive() in C.';


create or replace function cqrs.category_of(stream text)
    returns text language sql immutable parallel safe
    return split_part(stream, '-', 1);

comment on function cqrs.category_of(text) is
    'The part of a stream''s name before the first dash.';
