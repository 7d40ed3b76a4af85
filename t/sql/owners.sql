-- partitions: 4
-- Who may write: partitions, epochs, checkpoints.

\ir lib/prelude.sql

select plan(33);

-- partitions

create function pg_temp.to_partition(p integer, n integer default 1) returns text language sql
    return (select 'counter-' || i from generate_series(1, 1000) as i where cqrs.partition_of('counter-' || i) = p order by i offset n - 1 limit 1);

select is((select array_agg(partition order by partition) from cqrs.partitions), '{0,1,2,3}', 'each partition has its row');
select is(cqrs.claim_partition(2, 'one'), 1::bigint, 'the first owner has epoch 1');
select is(cqrs.claim_partition(2, 'two'), 2::bigint, 'the second 2');
select is(cqrs.claim_partition(2, 'two'), 3::bigint, 'who claims again gets a new one');
select results_eq('select epoch, owner, claimed_at is not null from cqrs.partitions where partition = 2',
    $$ values (3::bigint, 'two', true) $$, 'the owner is on record');
select is((select max(epoch) from cqrs.partitions where partition <> 2), 0::bigint, 'the other partitions have no owner');

select throws_ok($$ select cqrs.claim_partition(4, 'x') $$, 'QS002', 'there is no partition 4', 'a partition that is not there');
select throws_ok($$ select cqrs.claim_partition(null, 'x') $$, 'QS002', null, 'or null');

prepare execute_as as select * from cqrs.execute(2, $1, jsonb_build_array(command($2, pg_temp.to_partition(2), 'add', '{"n": 1}')));

select lives_ok('execute execute_as(3, 1)', 'the owner may append');
select throws_ok('execute execute_as(2, 2)', 'QS001', 'partition 2 is in epoch 3, not 2: it has another owner now', 'the one before may not');
select throws_ok('execute execute_as(4, 2)', 'QS001', null, 'nor one that is to come');
select throws_ok('execute execute_as(null, 2)', 'QS001', null, 'nor one without an epoch');
select throws_ok($$ select * from cqrs.execute(4, 1, '[]') $$, 'QS002', 'there is no partition 4', 'a batch for a partition that is not there');
select throws_ok($$ select * from cqrs.execute(2, 2, '[]') $$, 'QS001', null, 'the epoch is checked for an empty batch, too');
select throws_ok($$ select * from cqrs.execute(2, 3, jsonb_build_array(command(5, pg_temp.to_partition(1), 'add'))) $$, 'QS002',
    format('stream %s belongs to partition 1, not 2', pg_temp.to_partition(1)), 'a command of another partition');
select throws_ok($$ select * from cqrs.park(2, 3, command(5, pg_temp.to_partition(1), 'add'), 'XX999', 'x') $$, 'QS002', null, 'can''t be parked either');

select is((select count(*) from cqrs.inbox), 1::bigint, 'all that left nothing behind');

-- each partition counts for itself

select is(cqrs.claim_partition(1, 'one'), 1::bigint, 'another partition is claimed');
select lives_ok($$ select * from cqrs.execute(1, 1, jsonb_build_array(command(10, pg_temp.to_partition(1), 'twice'), command(11, pg_temp.to_partition(1, 2), 'twice'))) $$, 'and appended to');
select is((select array_agg(position order by position) from cqrs.events where partition = 1), upto(4), 'its positions begin at 1');
select is((select array_agg(sequence order by sequence) from cqrs.notifications where partition = 1), upto(2), 'its notifications, too');
select is(positions(2), upto(1), 'the other''s are not touched');

-- isolation

begin isolation level repeatable read;
select throws_ok('execute execute_as(3, 3)', 'QS002', 'the event store is written in READ COMMITTED transactions only', 'a snapshot of the past can''t append');
rollback;

-- checkpoints

select results_eq($$ select * from cqrs.claim_checkpoint('rabbitmq', 1, 'one') $$, 'values (1::bigint, 0::bigint)', 'a checkpoint begins at 0');
select lives_ok($$ select cqrs.advance_checkpoint('rabbitmq', 1, 1, 17) $$, 'its owner moves it');
select results_eq($$ select * from cqrs.claim_checkpoint('rabbitmq', 1, 'two') $$, 'values (2::bigint, 17::bigint)', 'the next one goes on from there');
select throws_ok($$ select cqrs.advance_checkpoint('rabbitmq', 1, 1, 18) $$, 'QS001', null, 'the one before can''t move it any more');
select lives_ok($$ select cqrs.advance_checkpoint('rabbitmq', 1, 2, 12) $$, 'moving it back');
select is((select position from cqrs.checkpoints where sink = 'rabbitmq' and partition = 1), 17::bigint, 'changes nothing');
select is(cqrs.read_checkpoint('rabbitmq', 1), 17::bigint, 'others may look where it stands');
select is(cqrs.read_checkpoint('rabbitmq', 3), 0::bigint, '... also before it was ever claimed');
select throws_ok($$ select cqrs.advance_checkpoint('redis', 1, 1, 18) $$, 'QS001', null, 'what was never claimed can''t be moved');
select throws_ok($$ select * from cqrs.claim_checkpoint('redis', 7, 'one') $$, 'QS002', 'there is no partition 7', 'a partition that is not there has no checkpoint');

select finish();
