-- ?1 the row's number
select row, id, sink, lane, type, payload, committed_at, attempts, not_before, first_failed_at, waiting_since,
       dead_at, cause, blocks, unbuilt, history, checksum
  from outbox_event where row = ?1
