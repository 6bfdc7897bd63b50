-- What becomes of events after their commit, who delivers them, and what operators did about dead letters.

-- All new columns may be left out: an older program, which names the columns that it writes, goes on. Constants as defaults and
-- another collation of a text do not write the table anew. Lanes compare by their bytes, in every database alike.
alter table {schema}.outbox_event
  alter column sink type text collate "C",
  alter column lane type text collate "C",
  alter column type type text collate "C",
  -- failed deliveries that count
  add column attempts int not null default 0,
  -- its lane rests until then; null: it does not
  add column not_before bigint,
  add column first_failed_at bigint,
  -- null: since its commit
  add column waiting_since bigint,
  -- a dead letter since then; null: it waits
  add column dead_at bigint,
  add column cause text collate "C",
  -- nothing of its lane is delivered
  add column blocks boolean not null default false,
  -- there is nothing to deliver
  add column unbuilt boolean not null default false,
  -- the last ten failures, oldest first: [{"at": ms, "cause": text}]
  add column history text collate "C" not null default '[]',
  add constraint dead_has_cause check ((dead_at is null) = (cause is null)),
  add constraint only_dead_block check (dead_at is not null or not (blocks or unbuilt));

-- Built while writers wait, and no longer than they must: no version before this one has written an event.

-- From lane to lane, and from the head of a lane on.
create index waiting_by_lane on {schema}.outbox_event (sink, lane, row) where dead_at is null;

-- The oldest one, and how many came lately. Its condition says the same in other words (dead_has_cause), so that a plan which was
-- made while the table was empty has no choice between this index and the one above.
create index waiting_by_age on {schema}.outbox_event (sink, (coalesce(waiting_since, committed_at))) where cause is null;

-- How many are dead, and the oldest of a sink.
create index dead_by_sink on {schema}.outbox_event (sink, row) where dead_at is not null;

-- The oldest of all.
create index dead_by_row on {schema}.outbox_event (row) where dead_at is not null;

-- Which lanes stand still.
create index blocked_lanes on {schema}.outbox_event (sink, lane) where blocks;

-- One row for each sink that somebody ever led. `holder` is null after a resignation; the fence stays.
create table {schema}.relay_lease (
  sink text collate "C" primary key,
  holder text collate "C",
  fence bigint not null check (fence > 0),
  lease_until bigint not null
);

-- Every dead letter that an operator has put back or thrown away.
create table {schema}.outbox_audit (
  row bigint generated always as identity primary key,
  at bigint not null,
  by text not null,
  reason text not null,
  verb text not null check (verb in ('redrive', 'discard')),
  event text not null,
  sink text not null,
  lane text not null,
  type text not null,
  cause text not null
);
