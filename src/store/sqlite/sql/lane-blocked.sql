-- ?1 sink, ?2 lane
select 1 from outbox_event indexed by blocked_lanes where sink = ?1 and lane = ?2 and blocks = 1 limit 1
