-- An id that is there already is the same event: sinks show one id per event, whoever wrote it first.
insert into outbox_event (id, sink, lane, type, payload, committed_at, checksum)
values (?, ?, ?, ?, ?, ?, ?)
on conflict (id) do nothing
