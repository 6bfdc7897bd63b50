-- ?1 sink
select lane from outbox_event indexed by waiting_by_lane where sink = ?1 and dead_at is null order by lane limit 1
