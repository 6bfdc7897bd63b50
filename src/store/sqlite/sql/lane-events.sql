-- ?1 sink, ?2 lane, ?3 limit; what waits, from the head on
select row, id, sink, lane, type, payload, committed_at, attempts, not_before, first_failed_at, waiting_since,
       dead_at, cause, blocks, unbuilt, history, checksum
  from outbox_event indexed by waiting_by_lane
 where sink = ?1 and lane = ?2 and dead_at is null order by row limit ?3
