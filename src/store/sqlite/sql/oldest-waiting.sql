-- ?1 sink
select coalesce(waiting_since, committed_at) from outbox_event indexed by waiting_by_age
 where sink = ?1 and dead_at is null order by coalesce(waiting_since, committed_at) limit 1
