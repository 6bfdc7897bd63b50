-- What operators changed, by whom and why; a line commits with its change and is never changed itself.
create table audit_entry (
  -- never used twice: the order in which the acts were committed
  row integer primary key autoincrement,
  at integer not null,
  verb text not null check (verb in ('evict', 'forget', 'resolve')),
  id text not null,
  operation_ref text not null,
  before text not null check (before in ('in_flight', 'completed', 'uncertain')),
  by text not null,
  reason text not null,
  checksum integer not null
) strict;
