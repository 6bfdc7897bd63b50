-- Writes failed deliveries, while the leadership stands (see settle-delivered.sql).
-- $1 now in ms, null for the database's clock; $2 sink, $3 holder, $4 fence
-- $5 rows; $6 causes; $7 after how many ms it is due again, null: it is dead; $8 whether its lane is blocked then
-- $9 whether it counts; $10 attempts when it was taken, null if nobody knows: told again it counts no second time
-- No row where somebody else leads. Each row looks for its place in the arrays: a join with them would be made row by row (settings.sql),
-- with another look through all of $5 each time.
with standing as (
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from {schema}.relay_lease where sink = $2::text and holder = $3::text and fence = $4::bigint for share
), failed as (
  update {schema}.outbox_event e
     set (attempts, not_before, first_failed_at, history, dead_at, cause, blocks) = (
       select case when a.counted then coalesce(a.before, e.attempts) + 1 else e.attempts end,
              s.now + a.after_ms,
              coalesce(e.first_failed_at, s.now),
              case when a.counted and e.attempts = a.before + 1 then e.history
                   else (case when jsonb_array_length(e.history::jsonb) >= 10 then e.history::jsonb - 0 else e.history::jsonb end
                         || jsonb_build_array(jsonb_build_object('at', s.now, 'cause', a.cause)))::text end,
              case when a.after_ms is null then s.now end,
              case when a.after_ms is null then a.cause end,
              a.after_ms is null and a.blocks
         from standing s, (
           select ($6::text[])[p.at] as cause, ($7::bigint[])[p.at] as after_ms, ($8::boolean[])[p.at] as blocks,
                  ($9::boolean[])[p.at] as counted, ($10::int[])[p.at] as before
             from (select array_position($5::bigint[], e.row) as at offset 0) p
         ) a
     )
   where e.row = any ($5::bigint[]) and e.sink = $2::text and coalesce(e.dead_at, 0) = 0 and exists (select from standing)
)
select 1 from standing
