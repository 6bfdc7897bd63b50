-- How far each application's own outbox table has been read (core/source.ts). A row changes in the transaction that commits the events.
create table source_position (
  source text primary key,
  position text not null,
  checksum integer not null
) strict;
