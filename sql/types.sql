-- A type is made once: functions and columns depend on it.

do $$
begin
    if pg_catalog.to_regtype('cqrs.command') is null then

        create type cqrs.command as (
            id               uuid,
            stream           text,
            type             text,
            data             jsonb,
            user_id          text,
            claims           jsonb,
            expected_version text,
            correlation_id   text,
            causation_id     text,
            traceparent      text,
            issued_at        timestamptz
        );

        create type cqrs.new_event as (
            type     text,
            data     jsonb,
            revision integer,
            subject  text,
            personal jsonb
        );

        create type cqrs.decision as (
            events  cqrs.new_event[],
            code    text,
            message text,
            detail  jsonb
        );

        create type cqrs.event as (
            partition   integer,
            position    bigint,
            id          uuid,
            stream      text,
            version     bigint,
            type        text,
            revision    integer,
            data        jsonb,
            metadata    jsonb,
            recorded_at timestamptz,
            subject     text,
            personal    jsonb
        );

        create type cqrs.notification as (channel text, type text, data jsonb);

        create type cqrs.outcome as (
            command   cqrs.command,
            category  text,
            duplicate boolean,
            tell      boolean,
            status    text,
            decision  cqrs.decision,
            version   bigint
        );

    end if;
end $$;

comment on type cqrs.command is
    'What a user or a process manager wants. expected_version: a number, no-stream, exists; null: any.';
comment on type cqrs.new_event is
    'An event that decide makes: it has no place in a stream yet. revision: of the shape of its data; personal: what '
    'is about the person subject.';
comment on type cqrs.decision is
    'What decide returns: events, or a code that says why not. Made by cqrs.accept and cqrs.reject.';
comment on type cqrs.event is
    'What has happened, with its place in its stream (version) and in its partition (position).';
comment on type cqrs.notification is
    'What somebody is to be told: the channel, the CloudEvents type, the data.';
comment on type cqrs.outcome is
    'What became of a command of a batch. tell: its issuer hears of it; version: of its stream, afterwards.';
