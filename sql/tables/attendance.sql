-- Unlogged, for it is of no use after a crash: nothing waits for the disk, and a
-- standby has none of it.  Its pages are left mostly empty, so that a row, which is
-- written every two seconds, finds its new place beside the old one.

create unlogged table if not exists cqrs.attendance (
    partition integer     not null,
    daemon    text        not null,
    state     text        not null check (state in ('works', 'waits', 'away')),
    since     timestamptz not null,
    came_at   timestamptz not null,
    seen_at   timestamptz not null,
    primary key (partition, daemon)
) with (fillfactor = 20);

comment on table  cqrs.attendance         is 'Which daemons are at which partition now; one that is not seen for 10 s is gone.';
comment on column cqrs.attendance.daemon  is 'Its --name.';
comment on column cqrs.attendance.state   is
    'works: it is the owner; waits: it stands in line at the queue; away: it has lost the queue and looks for it.';
comment on column cqrs.attendance.since   is 'Since when it is in this state.';
comment on column cqrs.attendance.came_at is 'When it was heard of first. All times are by the clock of the database.';
comment on column cqrs.attendance.seen_at is 'When it was heard of last.';
