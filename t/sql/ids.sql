-- partitions: 4
-- The same ids and partitions as in C, see docs/wire.md.

\ir lib/prelude.sql

select plan(14);

select is(cqrs.partition_count(), 4, 'four partitions, as it was asked for');

select is(cqrs.stream_number('account-1'), 132749313::bigint, 'number of account-1');
select is(cqrs.stream_number('account-alice'), 3540231879, 'number of account-alice: unsigned');
select is(cqrs.stream_number(''), 3820012610, 'number of the empty name');
select is(cqrs.stream_number('konto-ümlaut'), 1729682840::bigint, 'number of a name in UTF-8');

select is(cqrs.partition_of('account-1'), 1, 'partition of account-1');
select is(cqrs.partition_of('account-alice'), 3, 'partition of account-alice');
select is(cqrs.partition_of(''), 2, 'partition of the empty name');
select is(cqrs.partition_of('konto-ümlaut'), 0, 'partition of a name in UTF-8');

select is(cqrs.derive_id('01939d5e-6f1a-7c3b-9d2e-0b6f5a1c7e44', 'event:1'),
          'c224bdd7-788b-8494-8144-0fbb66690d6e'::uuid, 'a derived id');
select is(cqrs.derive_id('00000000-0000-0000-0000-000000000000', 'ümlaut'),
          '1c23b1ce-d512-82b1-b7ee-941542dd744d'::uuid, 'a derived id of a name in UTF-8');

-- the same by other means

select is((select count(*)
             from (select gen_random_uuid() as parent, 'event:' || i as name from generate_series(1, 500) as i) as x
            cross join lateral (select encode(substr(sha256(uuid_send(parent) || convert_to(name, 'UTF8')), 1, 16), 'hex') as hash) as h
            where cqrs.derive_id(parent, name)
                  <> (substr(hash, 1, 12) || '8' || substr(hash, 14, 3)
                      || substr('89ab89ab89ab89ab', strpos('0123456789abcdef', substr(hash, 17, 1)), 1)
                      || substr(hash, 18))::uuid),
          0::bigint, 'version and variant are set, the other bits are the hash''s');

select is((select array_agg(distinct cqrs.partition_of('account-' || i) order by cqrs.partition_of('account-' || i))
             from generate_series(1, 200) as i), '{0,1,2,3}', 'streams spread over all partitions');

select is(cqrs.category_of('account-1-2'), 'account', 'the category ends at the first dash');

select finish();
