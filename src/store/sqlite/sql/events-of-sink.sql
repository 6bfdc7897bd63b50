-- ?1 sink; the ids of what waits, from lane to lane, and of its dead letters
select id from outbox_event indexed by waiting_by_lane where sink = ?1 and dead_at is null
union all
select id from outbox_event indexed by dead_by_sink where sink = ?1 and dead_at is not null
