-- Writes failed deliveries, while the leadership stands (see settle-delivered.sql).
-- $1 now in ms, null for the database's clock; $2 sink, $3 holder, $4 fence
-- $5 rows, sorted; $6 causes; $7 after how many ms it is due again, null: it is dead; $8 whether its lane is blocked then
-- $9 whether it counts; $10 attempts when it was taken, null if nobody knows: told again it counts no second time
-- No row where somebody else leads.
with standing as (
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from {schema}.relay_lease where sink = $2::text and holder = $3::text and fence = $4::bigint for share
), asked as (
  select a.*, s.now, jsonb_build_array(jsonb_build_object('at', s.now, 'cause', a.cause)) as failure
    from standing s, unnest($5::bigint[], $6::text[], $7::bigint[], $8::boolean[], $9::boolean[], $10::int[]) as a (row, cause, after_ms, blocks, counted, before)
), failed as (
  update {schema}.outbox_event e
     set attempts = case when a.counted then coalesce(a.before, e.attempts) + 1 else e.attempts end,
         not_before = a.now + a.after_ms,
         first_failed_at = coalesce(e.first_failed_at, a.now),
         history = case when a.counted and e.attempts = a.before + 1 then e.history
                        when jsonb_array_length(e.history::jsonb) >= 10 then (e.history::jsonb - 0 || a.failure)::text
                        else (e.history::jsonb || a.failure)::text end,
         dead_at = case when a.after_ms is null then a.now end,
         cause = case when a.after_ms is null then a.cause end,
         blocks = a.after_ms is null and a.blocks
    from asked a
   where e.row = any ($5::bigint[]) and e.row = a.row and e.sink = $2::text and coalesce(e.dead_at, 0) = 0
)
select 1 from standing
