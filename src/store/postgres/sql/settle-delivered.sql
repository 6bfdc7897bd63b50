-- Deletes what was delivered, while the leadership stands: its row is held until this has committed, so nobody takes over in between.
-- What waits is said in a way that no index but the primary key fits: a plan that was made for an empty table takes any.
-- $1 sink, $2 holder, $3 fence; $4 rows. No row where somebody else leads.
with standing as (
  select from {schema}.relay_lease where sink = $1::text and holder = $2::text and fence = $3::bigint for share
), gone as (
  delete from {schema}.outbox_event e
   where e.row = any ($4::bigint[]) and e.sink = $1::text and coalesce(e.dead_at, 0) = 0 and exists (select from standing)
)
select 1 from standing
