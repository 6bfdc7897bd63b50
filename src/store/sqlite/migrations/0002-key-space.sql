-- What the ids of the keys are made of, as the last one who used them wrote it down (core/key-space.ts).

-- One row, always; its columns are null until the first start. `checksum` is a CRC-32 over `text`.
create table key_space (
  one integer primary key check (one = 1),
  text text,
  checksum integer,
  check ((text is null) = (checksum is null))
) strict;

insert into key_space values (1, null, null);
