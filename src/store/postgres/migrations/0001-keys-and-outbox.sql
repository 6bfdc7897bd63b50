-- Keys, the events that commit with them, what operators did, and what the installation knows about itself.
-- {schema} and the other words in braces are filled in by migrate.ts. Times are milliseconds since the epoch.

-- One row per key. What the claim fixes stands in front; completing touches no column that an index holds, so that its new
-- version stays in the page of the old one (HOT) and none of the four indexes grows twice. This is also why nothing here is
-- indexed by state or lease: `unsettled` below is the short list that upkeep and gauges read instead.
create table {schema}.key_record (
  -- a keyed hash: evenly spread, so that hash partitions and shards fill evenly. All zeros is no id.
  id bytea not null check (octet_length(id) = 32 and id <> decode(repeat('00', 32), 'hex')),
  created_at bigint not null,
  -- fixed by the claim; only the end of a doubt moves it
  retain_until bigint not null,
  lease_until bigint,
  completed_at bigint,
  since bigint,
  fence int not null check (fence > 0),
  attempts int not null check (attempts >= 0),
  status int,
  -- somebody in another process waits for this record to leave in_flight
  waiters boolean not null default false,
  state text collate "C" not null check (state in ('in_flight', 'completed', 'uncertain')),
  holder text collate "C" not null,
  key_digest text collate "C" not null,
  operation_ref text collate "C" not null,
  fingerprint text collate "C" not null,
  -- inline: a specification is some 40 bytes, about what its hash would take
  spec text collate "C" not null,
  parts text collate "C" not null,
  route text collate "C" not null,
  cause text collate "C",
  -- the stored reply: a status alone says "completed, body not kept"; headers and trailers are JSON lists
  headers text collate "C",
  trailers text collate "C",
  body bytea,
  primary key (id),
  check ((state = 'in_flight') = (lease_until is not null)),
  check ((state = 'completed') = (completed_at is not null)),
  check ((state = 'completed') = (status is not null)),
  check ((state = 'uncertain') = (since is not null)),
  check ((since is null) = (cause is null)),
  check (headers is null or state = 'completed'),
  check ((headers is null) = (body is null) and (headers is null) = (trailers is null))
) {partitioned};

-- For operators, who know the client's key.
create index key_by_digest on {schema}.key_record (key_digest);

-- Names begin with the time, so that the index grows at its end. Not unique where the table is partitioned, which would
-- need the id in it; the name has 96 random bits.
create {unique} index key_by_operation on {schema}.key_record (operation_ref);

-- The sweep's.
create index key_by_retention on {schema}.key_record (retain_until);

-- The records that are not completed, in short: written by the claim, deleted by the settle. An index over the state of
-- key_record would say the same, and costs the server as much while everything is in memory (38 us of CPU a key either way, 36
-- with neither); but it makes every completion write to all indexes, at random places of two of them, and leaves their dead
-- entries to vacuum. What is dead here is small and lies together.
create table {schema}.unsettled (
  id bytea primary key,
  state text collate "C" not null check (state in ('in_flight', 'uncertain'))
);

-- What was committed with completions and waits for its delivery. The order of `row` is not the order of commits.
create table {schema}.outbox_event (
  row bigint generated always as identity primary key,
  id text collate "C" not null unique,
  sink text not null,
  lane text not null,
  type text not null,
  payload bytea not null,
  committed_at bigint not null
);

-- Every change by an operator.
create table {schema}.audit (
  row bigint generated always as identity primary key,
  at bigint not null,
  by text not null,
  reason text not null,
  verb text not null check (verb in ('evict', 'forget', 'resolve')),
  id bytea not null,
  operation_ref text not null,
  before text not null check (before in ('in_flight', 'completed', 'uncertain'))
);

-- One row, always; its columns are null until the first start.
create table {schema}.installation (
  one int primary key check (one = 1),
  secret text,
  key_space text
);

insert into {schema}.installation values (1, null, null);
