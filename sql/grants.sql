-- Nobody reaches a table but through a function, and only through those named here.

revoke all on schema cqrs from public;
revoke all on all tables in schema cqrs from public;
revoke all on all functions in schema cqrs from public;

grant usage on schema cqrs to cqrs_consumer, cqrs_reader;

grant execute on function cqrs.partition_count() to cqrs_consumer, cqrs_reader;

grant execute on function
    cqrs.partition_of(text),
    cqrs.derive_id(uuid, text),
    cqrs.claim_partition(integer, text),
    cqrs.attend(integer, text, text),
    cqrs.leave(integer, text),
    cqrs.execute(integer, bigint, jsonb),
    cqrs.load(integer, bigint, jsonb),
    cqrs.append(integer, bigint, jsonb, jsonb, jsonb),
    cqrs.append_decided,
    cqrs.check_handlers(text[]),
    cqrs.park(integer, bigint, jsonb, text, text),
    cqrs.releases_due(integer, text),
    cqrs.read_released(integer, integer),
    cqrs.list_parked(text),
    cqrs.release(text),
    cqrs.discard(text),
    cqrs.refuse_message(integer, bigint, jsonb, text, text),
    cqrs.read_notifications(integer, bigint, integer),
    cqrs.claim_checkpoint(text, integer, text),
    cqrs.read_checkpoint(text, integer),
    cqrs.advance_checkpoint(text, integer, bigint, bigint),
    cqrs.read_events(integer, bigint, integer),
    cqrs.react(integer, bigint[]),
    cqrs.clean(integer, integer),
    cqrs.run_projection(text, integer, integer, integer),
    cqrs.pending_projections(),
    cqrs.fail_projection(text, integer, integer, text, text)
to cqrs_consumer;
