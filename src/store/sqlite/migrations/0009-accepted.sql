-- Requests that were accepted, to be executed later (core/record.ts): a state more, and since when and for whom. A CHECK cannot be
-- changed where it stands, so the tables are made anew; rows keep their numbers and their checksums, in which the new columns are not
-- where they are null (rows.ts). That takes as long as reading the file through and writing it once.
create table key_record_anew (
  row integer primary key,
  -- fixed by the claim; only where it was accepted its time counts from the begin of its execution
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
  state text not null check (state in ('accepted', 'in_flight', 'completed', 'uncertain')),
  lease_until integer,
  completed_at integer,
  since integer,
  cause text,
  -- the stored reply: a status alone says "completed, body not kept"; headers and trailers are JSON lists
  status integer,
  headers text,
  trailers text,
  body blob,
  probe text,
  outbox text,
  -- null: its own client claimed it
  accepted_at integer,
  owner text,
  checksum integer not null,
  id_hash integer,
  digest_hash integer,
  check ((state = 'in_flight') = (lease_until is not null)),
  check ((state = 'completed') = (completed_at is not null)),
  check ((state = 'completed') = (status is not null)),
  check ((state = 'uncertain') = (since is not null)),
  check ((since is null) = (cause is null)),
  check (headers is null or state = 'completed'),
  check ((headers is null) = (body is null) and (headers is null) = (trailers is null)),
  check (state <> 'accepted' or accepted_at is not null),
  check ((accepted_at is null) = (owner is null))
) strict;

insert into key_record_anew
select row, id, key_digest, operation_ref, fingerprint, spec, parts, route, created_at, holder, fence, retain_until, attempts, state, lease_until,
       completed_at, since, cause, status, headers, trailers, body, probe, outbox, null, null, checksum, id_hash, digest_hash
  from key_record order by row;

drop table key_record;
alter table key_record_anew rename to key_record;

-- As they were: see 0001, 0003 and 0008 for what each of them is for. None is for what waits: the outbox has an event of it.
create index key_by_id on key_record (id_hash);
create index key_by_id_again on key_record (id_hash);
create index key_by_digest on key_record (row >> 12, digest_hash);
create index key_by_operation on key_record (row >> 12, operation_ref);
create index in_flight_by_id on key_record (id, lease_until) where state = 'in_flight';
create index uncertain_by_since on key_record (since, id) where state = 'uncertain';
create index completed_by_retention on key_record (retain_until) where state = 'completed';

create table audit_entry_anew (
  -- never used twice: the order in which the acts were committed
  row integer primary key autoincrement,
  at integer not null,
  verb text not null check (verb in ('evict', 'forget', 'resolve')),
  id text not null,
  operation_ref text not null,
  before text not null check (before in ('accepted', 'in_flight', 'completed', 'uncertain')),
  by text not null,
  reason text not null,
  checksum integer not null
) strict;

insert into audit_entry_anew select row, at, verb, id, operation_ref, before, by, reason, checksum from audit_entry order by row;
drop table audit_entry;
alter table audit_entry_anew rename to audit_entry;
