-- An id that is there already is the same event: sinks show one id per event, whoever wrote it first.
insert into outbox_event (id, sink, lane, type, payload, committed_at, attempts, not_before, first_failed_at, waiting_since,
       dead_at, cause, blocks, unbuilt, history, checksum)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (id) do nothing
