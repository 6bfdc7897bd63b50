-- ?1 sink, ?2 the lane before; one look into the index, however many rows a lane has
select lane from outbox_event indexed by waiting_by_lane where sink = ?1 and dead_at is null and lane > ?2 order by lane limit 1
