-- ?1 sink, ?2 since when, ?3 up to how many are counted
select count(*) from (
  select 1 from outbox_event indexed by waiting_by_age
   where sink = ?1 and dead_at is null and coalesce(waiting_since, committed_at) > ?2 limit ?3
)
