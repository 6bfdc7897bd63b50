-- ?1 the sink before
select sink from outbox_event indexed by waiting_by_lane where dead_at is null and sink > ?1 order by sink limit 1
