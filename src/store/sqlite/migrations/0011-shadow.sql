-- What shadowed routes note of their keys (core/shadow.ts), in a table of its own: nothing that enforces reads it. Without checksums: a note that is
-- wrong is a wrong count and never an answer.
create table shadow_key (
  id text primary key,
  fingerprint text not null,
  spec text not null,
  parts text not null,
  holder text not null,
  state text not null check (state in ('in_flight', 'completed', 'uncertain')),
  lease_until integer not null,
  retain_until integer not null
) strict, without rowid;

create index shadow_key_retention on shadow_key (retain_until);
