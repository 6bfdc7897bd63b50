-- Keys are found by a short hash of their id, and of their digest: 4 bytes in an index where the texts took 43 and 66, so
-- that many rows share a page and a group of new ones touches each page once. What is found is compared in full.
-- `crc32` is a function of ours that exists while this runs (migrate.ts); rows.ts computes the same.
alter table key_record add column id_hash integer;
alter table key_record add column digest_hash integer;
update key_record set id_hash = crc32(id), digest_hash = crc32(key_digest);
drop index key_by_id;
drop index key_by_digest;
create index key_by_id on key_record (id_hash);
-- For operators, and the second opinion on an id that key_by_id does not have: another tree in other pages. One key may be
-- in use by any number of clients, so the id's hash is in here, too.
create index key_by_digest on key_record (digest_hash, id_hash);

-- What was committed and is not in key_record yet; see journal.ts. One row per commit, numbered as the commits are.
create table journal (
  number integer primary key,
  entries text not null,
  bodies blob not null,
  checksum integer not null
) strict;
