-- ?1 sink, ?2 and ?3 between which lanes, ?4 up to how many are counted
select count(*) from (
  select 1 from outbox_event indexed by waiting_by_lane
   where sink = ?1 and dead_at is null and lane >= ?2 and lane < ?3 limit ?4
)
