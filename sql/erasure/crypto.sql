-- pgcrypto may be there already, in whichever schema; if not it gets a schema of its
-- own.  It is a trusted extension: who may install the store may install it, too.  The
-- bodies are bound, so it can be moved, and is not dropped by mistake.
--
-- A key is 32 random bytes, so it is not made any stronger by salt or repeated hashing
-- (s2k-mode).  OpenPGP sees to a random beginning and finds what was tampered with.

do $make$
declare
    place name;
begin
    if not exists (select from pg_catalog.pg_extension as e where e.extname = 'pgcrypto') then
        create schema if not exists pgcrypto;
        create extension pgcrypto schema pgcrypto;
    end if;

    select n.nspname into place
      from pg_catalog.pg_extension as e
      join pg_catalog.pg_namespace as n on n.oid = e.extnamespace
     where e.extname = 'pgcrypto';

    execute pg_catalog.format($sql$
        create or replace function cqrs.new_key()
            returns bytea language sql volatile
            return %I.gen_random_bytes(32) $sql$, place);

    execute pg_catalog.format($sql$
        create or replace function cqrs.seal_with(key bytea, generation integer, personal jsonb)
            returns bytea language sql volatile
            return int4send(generation)
                   || %I.pgp_sym_encrypt(personal::text, encode(key, 'hex'),
                          'cipher-algo=aes256, compress-algo=0, s2k-mode=0, s2k-digest-algo=sha256') $sql$, place);

    execute pg_catalog.format($sql$
        create or replace function cqrs.open_with(key bytea, sealed bytea)
            returns jsonb language sql immutable
            return %I.pgp_sym_decrypt(substr(sealed, 5), encode(key, 'hex'))::jsonb $sql$, place);
end $make$;

comment on function cqrs.new_key() is
    'A key for a subject.';
comment on function cqrs.seal_with(bytea, integer, jsonb) is
    'Seals personal data: four bytes for the generation of the key, then an OpenPGP message.';
comment on function cqrs.open_with(bytea, bytea) is
    'Opens what was sealed with this key; 39000 if it was with another one, or was changed.';


create or replace function cqrs.generation_of(sealed bytea)
    returns integer language sql immutable parallel safe
    return ('x' || encode(substr(sealed, 1, 4), 'hex'))::bit(32)::integer;

comment on function cqrs.generation_of(bytea) is
    'Which of its subject''s keys something was sealed with.';
