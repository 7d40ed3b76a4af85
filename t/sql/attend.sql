-- partitions: 4
-- Which daemon is to work a partition, and when another gives it up.

\ir lib/prelude.sql

select plan(31);

-- moves everything into the past
create function pg_temp.later(seconds integer) returns void language sql as $$
    update cqrs.attendance set since = since - seconds * interval '1 s', came_at = came_at - seconds * interval '1 s', seen_at = seen_at - seconds * interval '1 s' $$;

-- all three of them at a partition, as they are for a while
create function pg_temp.three(p integer, worker text) returns void language sql as $$
    delete from cqrs.attendance;
    insert into cqrs.attendance
    select p, d, case d when worker then 'works' else 'waits' end, clock_timestamp() - interval '1 min', clock_timestamp() - interval '1 min', clock_timestamp()
      from unnest('{a,b,c}'::text[]) as d $$;

create function pg_temp.who(p integer) returns text[] language sql as $$
    select array_agg(daemon || ' ' || state order by daemon) from cqrs.attendance where partition = p $$;

-- coming and going

select is(cqrs.attend(1, 'a', 'waits'), null, 'who comes first');
select is(cqrs.attend(1, 'a', 'works'), null, 'works any partition');
select is(cqrs.attend(1, 'b', 'waits'), null, 'who waits is asked for nothing');
select is(pg_temp.who(1), '{a works,b waits}', 'both are on record');
select is(cqrs.attend(1, 'a', 'works'), null, 'who has just come is given nothing');

select pg_temp.later(2) \g /dev/null
select cqrs.attend(1, 'b', 'waits') \g /dev/null
select is(cqrs.attend(1, 'a', 'works'), null, 'nor after two seconds');
select pg_temp.later(2) \g /dev/null
select cqrs.attend(1, 'b', 'waits') \g /dev/null
select is(cqrs.attend(1, 'a', 'works'), 'b', 'but after four its share');
select is(cqrs.attend(2, 'a', 'works'), null, 'partitions are shared each for itself');

select pg_temp.later(5) \g /dev/null
select is(cqrs.attend(1, 'a', 'works'), null, 'who was not seen for some seconds is given nothing');
select is(pg_temp.who(1), '{a works,b waits}', 'though it may come back');
select pg_temp.later(6) \g /dev/null
select is(cqrs.attend(1, 'a', 'works'), null, 'after ten seconds');
select is(pg_temp.who(1), '{a works}', 'it is gone');

select cqrs.attend(1, 'b', 'waits') \g /dev/null
select lives_ok($$ select cqrs.leave(1, 'b') $$, 'who leaves');
select is(pg_temp.who(1), '{a works}', 'is gone at once');
select lives_ok($$ select cqrs.leave(1, 'nobody') $$, 'who was not there may leave, too');

-- shares

create function pg_temp.asked(p integer, worker text) returns text language plpgsql as $$
begin
    perform pg_temp.three(p, worker);
    return cqrs.attend(p, worker, 'works');
end $$;

select results_eq($$ select p, w, pg_temp.asked(p, w) from generate_series(0, 3) as p, unnest('{a,b,c}'::text[]) as w order by p, w $$,
    $$ values (0, 'a', null), (0, 'b', 'a'),  (0, 'c', 'a'),
              (1, 'a', 'b'),  (1, 'b', null), (1, 'c', 'b'),
              (2, 'a', 'c'),  (2, 'b', 'c'),  (2, 'c', null),
              (3, 'a', null), (3, 'b', 'a'),  (3, 'c', 'a') $$,
    'of three daemons the i-th in the order of names is to work the partitions p with p mod 3 = i');

select pg_temp.three(1, 'a') \g /dev/null
select is(cqrs.attend(1, 'b', 'away'), null, 'who has lost the queue for a moment');
select is(cqrs.attend(1, 'a', 'works'), null, 'is given nothing, and neither is another in its place');
select is(cqrs.attend(1, 'b', 'waits'), null, 'when it is back');
select is(cqrs.attend(1, 'a', 'works'), null, 'it must wait for a while anew');

select pg_temp.three(1, 'a') \g /dev/null
select cqrs.attend(1, 'aa', 'waits') \g /dev/null
select is(cqrs.attend(1, 'a', 'works'), 'b', 'who comes and goes moves no share');

select pg_temp.three(2, 'a') \g /dev/null
update cqrs.attendance set came_at = clock_timestamp() where daemon = 'a';
select is(cqrs.attend(2, 'a', 'works'), 'c', 'but who works counts from its first moment');

update cqrs.attendance set state = 'works' where daemon = 'c';
select is(cqrs.attend(2, 'a', 'works'), null, 'who believes to work itself is given nothing');

-- the clock is set back

select pg_temp.three(1, 'a') \g /dev/null
select pg_temp.later(-3600) \g /dev/null
select is(cqrs.attend(1, 'a', 'works'), null, 'what was seen in the future');
select is(pg_temp.who(1), '{a works}', 'is gone');

-- mistakes

select throws_ok($$ select cqrs.attend(4, 'a', 'waits') $$, 'QS002', 'there is no partition 4', 'a partition that is not there');
select throws_ok($$ select cqrs.attend(null, 'a', 'waits') $$, 'QS002', null, 'or null');
select throws_ok($$ select cqrs.attend(1, null, 'waits') $$, '23502', null, 'a daemon without a name');
select throws_ok($$ select cqrs.attend(1, 'a', 'sleeps') $$, '23514', null, 'a state that there is not');
select is(pg_temp.who(1), '{a works}', 'change nothing');

-- rows are written again and again

truncate cqrs.attendance;
do $$
begin
    for i in 1 .. 1000 loop
        perform cqrs.attend(1, 'a', 'works');
        commit;
    end loop;
end $$;
select cmp_ok(pg_relation_size('cqrs.attendance') + pg_relation_size('cqrs.attendance_pkey'), '<=', 4 * 8192::bigint,
    'the table does not grow with time');

select finish();
