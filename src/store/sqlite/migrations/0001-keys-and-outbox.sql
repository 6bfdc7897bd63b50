-- The first schema: keys, the events that commit with them, and what the store knows about itself.
-- Times are milliseconds since the epoch. Every `checksum` is a CRC-32 over all other columns of its row, see rows.ts.

create table key_record (
  row integer primary key,
  -- fixed by the claim
  id text not null,
  key_digest text not null,
  operation_ref text not null,
  fingerprint text not null,
  spec text not null,
  parts text not null,
  route text not null,
  created_at integer not null,
  -- may change with every transition
  holder text not null,
  fence integer not null check (fence > 0),
  retain_until integer not null,
  attempts integer not null check (attempts >= 0),
  state text not null check (state in ('in_flight', 'completed', 'uncertain')),
  lease_until integer,
  completed_at integer,
  since integer,
  cause text,
  -- the stored reply: a status alone says "completed, body not kept"; headers and trailers are JSON lists
  status integer,
  headers text,
  trailers text,
  body blob,
  checksum integer not null,
  check ((state = 'in_flight') = (lease_until is not null)),
  check ((state = 'completed') = (completed_at is not null)),
  check ((state = 'completed') = (status is not null)),
  check ((state = 'uncertain') = (since is not null)),
  check ((since is null) = (cause is null)),
  check (headers is null or state = 'completed'),
  check ((headers is null) = (body is null) and (headers is null) = (trailers is null))
) strict;

create unique index key_by_id on key_record (id);

-- For operators, and the second opinion on an id that key_by_id does not have: it holds the id too, in another tree.
create index key_by_digest on key_record (key_digest, id);

create unique index key_by_operation on key_record (operation_ref);

-- For upkeep, and the second opinion on a write whose row is not found. Holds only what is in flight now.
create index in_flight_by_id on key_record (id, lease_until) where state = 'in_flight';

create index uncertain_by_since on key_record (since, id) where state = 'uncertain';

-- The sweep's: retention spares doubts because they are not in here.
create index completed_by_retention on key_record (retain_until) where state = 'completed';

create table outbox_event (
  -- never used twice: the order in which events were committed
  row integer primary key autoincrement,
  id text not null unique,
  sink text not null,
  lane text not null,
  type text not null,
  payload blob not null,
  committed_at integer not null,
  checksum integer not null
) strict;

-- One row. `commit_number` rises with every commit that changed something; witness.ts says what for.
create table ledger (
  one integer primary key check (one = 1),
  commit_number integer not null,
  in_flight integer not null,
  uncertain integer not null,
  completed integer not null,
  checksum integer not null
) strict;

-- One row, always: a missing one is damage, never a reason for a new secret (which would make every key look new).
create table installation (
  one integer primary key check (one = 1),
  secret text,
  checksum integer,
  check ((secret is null) = (checksum is null))
) strict;

-- The checksum is written by the same transaction, before anybody can read it.
insert into ledger values (1, 0, 0, 0, 0, 0);

insert into installation values (1, null, null);
