-- pgbench: a batch of deposits, made in SQL and given to the daemon's own function.

\set first random(0, :accounts - 1)

select count(*)
  from cqrs.execute(0, :epoch, (
        select jsonb_agg(jsonb_build_object(
                   'id', gen_random_uuid(),
                   'stream', 'account-' || (1 + (:first + n) % :accounts),
                   'type', 'deposit',
                   'data', jsonb_build_object('amount', 25),
                   'user', 'bench'))
          from generate_series(0, :batch - 1) as n));
