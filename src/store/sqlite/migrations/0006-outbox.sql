-- What becomes of events after their commit, who delivered them, and what operators did about dead letters. The new columns are not
-- part of a row's checksum where they are as they begin, so that no row has to be written anew (event-rows.ts).
alter table outbox_event add column attempts integer not null default 0;
-- its lane rests until then; null: it does not
alter table outbox_event add column not_before integer;
alter table outbox_event add column first_failed_at integer;
-- null: since its commit
alter table outbox_event add column waiting_since integer;
-- a dead letter since then; null: it waits
alter table outbox_event add column dead_at integer;
alter table outbox_event add column cause text check ((cause is null) = (dead_at is null));
-- nothing of its lane is delivered
alter table outbox_event add column blocks integer not null default 0 check (blocks in (0, 1) and (blocks = 0 or dead_at is not null));
-- there is nothing to deliver
alter table outbox_event add column unbuilt integer not null default 0 check (unbuilt in (0, 1) and (unbuilt = 0 or dead_at is not null));
-- the last ten failures, oldest first: [{"at": ms, "cause": text}]
alter table outbox_event add column history text not null default '[]';

-- From lane to lane by their bytes, and from the head of a lane on.
create index waiting_by_lane on outbox_event (sink, lane, row) where dead_at is null;

-- The oldest one, and how many came lately.
create index waiting_by_age on outbox_event (sink, coalesce(waiting_since, committed_at)) where dead_at is null;

create index dead_by_sink on outbox_event (sink) where dead_at is not null;

create index dead_by_row on outbox_event (row) where dead_at is not null;

create index blocked_lanes on outbox_event (sink, lane) where blocks = 1;

-- The last fence of each sink that somebody ever led. Who leads is known to the one process that has the file, and no longer.
create table sink_fence (
  sink text primary key,
  fence integer not null check (fence > 0),
  checksum integer not null
) strict;

-- Every dead letter that an operator has put back or thrown away.
create table outbox_audit (
  row integer primary key autoincrement,
  at integer not null,
  verb text not null check (verb in ('redrive', 'discard')),
  event text not null,
  sink text not null,
  lane text not null,
  type text not null,
  cause text not null,
  by text not null,
  reason text not null,
  checksum integer not null
) strict;
