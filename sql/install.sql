-- The event store.  Run by "psql -f sql/install.sql" or "cqrs-consumer init", in
-- one transaction; may be run again without harm.
--
-- The number of partitions is fixed at the first run: PGOPTIONS='-c cqrs.partitions=8'.

\set ON_ERROR_STOP on

begin;

set local client_min_messages = warning;

\ir unreleased.sql
\ir roles.sql
\ir schema.sql
\ir types.sql

\ir tables/partitions.sql
\ir tables/streams.sql
\ir tables/events.sql
\ir tables/inbox.sql
\ir tables/notifications.sql
\ir tables/parked.sql
\ir tables/refused.sql
\ir tables/checkpoints.sql
\ir tables/attendance.sql
\ir tables/categories.sql
\ir tables/projections.sql
\ir tables/subjects.sql
\ir tables/parts.sql

\ir parts/set_part_size.sql
\ir parts/make_part.sql
\ir parts/room.sql
\ir parts/make_inbox_part.sql
\ir parts/detach_part.sql

\ir domain/event.sql
\ir domain/accept.sql
\ir domain/reject.sql
\ir domain/new_command.sql

\ir ids.sql
\ir envelope.sql
\ir projections/log_ends.sql
\ir projections/functions.sql
\ir projections/dispatch.sql
\ir projections/register.sql
\ir domain/register.sql
\ir erasure/crypto.sql
\ir erasure/seal.sql
\ir domain/opened_event.sql
\ir domain/spec.sql

\ir daemon/refuse.sql
\ir daemon/stream_head.sql
\ir daemon/read_batch.sql
\ir daemon/recording_time.sql
\ir daemon/domain_notifications.sql
\ir daemon/record_batch.sql
\ir daemon/own_partition.sql
\ir daemon/claim_partition.sql
\ir daemon/attend.sql
\ir daemon/execute.sql
\ir daemon/check_handlers.sql
\ir daemon/load.sql
\ir daemon/append.sql
\ir daemon/append_decided.sql
\ir daemon/park.sql
\ir daemon/refuse_message.sql
\ir daemon/read_notifications.sql
\ir daemon/checkpoints.sql
\ir daemon/read_events.sql
\ir daemon/react.sql
\ir daemon/clean.sql

\ir parked/ask.sql
\ir parked/list.sql
\ir parked/release.sql

\ir projections/run.sql
\ir projections/tables.sql
\ir projections/dependents.sql
\ir projections/rebuild.sql
\ir projections/promote.sql

\ir erasure/erase.sql

\ir verify/result.sql
\ir verify/log.sql
\ir verify/folds.sql
\ir verify/outcomes.sql
\ir verify/personal.sql
\ir verify/projection.sql
\ir verify/verify.sql

\ir grants.sql

commit;
