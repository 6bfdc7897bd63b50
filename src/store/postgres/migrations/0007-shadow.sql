-- What shadowed routes note of their keys (core/shadow.ts), in a table of its own: nothing that enforces reads it, and no operator is shown it.
-- An older program does not know it and needs nothing of it.
create table {schema}.shadow_key (
  id bytea primary key check (octet_length(id) = 32),
  fingerprint text collate "C" not null,
  spec text collate "C" not null,
  parts text collate "C" not null,
  holder text collate "C" not null,
  state text not null check (state in ('in_flight', 'completed', 'uncertain')),
  lease_until bigint not null,
  retain_until bigint not null
);

create index shadow_key_retention on {schema}.shadow_key (retain_until);
