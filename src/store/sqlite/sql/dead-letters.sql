-- ?1 id, ?2 sink, ?3 lane, ?4 type, null for any; ?5 behind this row, ?6 limit, ?7 1 for those that could never be built, 0 for others, null for all
-- The id by its row: else each of many acts would look through all dead letters.
select row, id, sink, lane, type, payload, committed_at, attempts, not_before, first_failed_at, waiting_since,
       dead_at, cause, blocks, unbuilt, history, checksum
  from outbox_event indexed by dead_by_row
 where dead_at is not null
   and row > case when ?1 is null then ?5 else max(?5, (select row from outbox_event where id = ?1) - 1) end
   and row <= case when ?1 is null then 9223372036854775807 else (select row from outbox_event where id = ?1) end
   and (?2 is null or sink = ?2) and (?3 is null or lane = ?3) and (?4 is null or type = ?4)
   and (?7 is null or unbuilt = ?7)
 order by row limit ?6
