-- Bodies of the form "return ..." are bound when they are created: no search_path
-- can reach them, and the planner may inline them.

create or replace function cqrs.partition_count()
    returns integer language sql stable security definer parallel safe
    return (select value::integer from cqrs.settings where name = 'partitions');

comment on function cqrs.partition_count() is 'How many partitions the store has; fixed when it was installed.';


create or replace function cqrs.partition_of(stream text)
    returns integer language sql stable
    return (('x' || encode(substring(sha256(convert_to(stream, 'UTF8')) for 4), 'hex'))::bit(32)::bigint
            & 4294967295) % cqrs.partition_count();

comment on function cqrs.partition_of(text) is 'The partition of a stream; the same as cqrs_partition_of() in C.';


create or replace function cqrs.derive_id(parent uuid, name text)
    returns uuid language sql immutable parallel safe
    return (
        select encode(set_byte(set_byte(hash, 6, get_byte(hash, 6) & 15 | 128),
                               8, get_byte(hash, 8) & 63 | 128), 'hex')::uuid
          from (select substring(sha256(uuid_send(parent) || convert_to(name, 'UTF8')) for 16)) as h (hash));

comment on function cqrs.derive_id(uuid, text) is 'A UUID v8 made of another id and a name; the same as cqrs_uuid_derive() in C.';


create or replace function cqrs.category_of(stream text)
    returns text language sql immutable parallel safe
    return split_part(stream, '-', 1);

comment on function cqrs.category_of(text) is 'The part of a stream''s name before the first dash.';
