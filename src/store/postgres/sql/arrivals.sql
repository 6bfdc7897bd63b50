-- Waiting ones have no cause of death; it says so in these words because of the index, see 0003-outbox.sql.
-- $1 now in ms, null for the database's clock; $2 sink, $3 window in ms, $4 up to how many are counted
select count(*) from (
  select from {schema}.outbox_event e
   where e.sink = $2::text and e.cause is null
     and coalesce(e.waiting_since, e.committed_at) > coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) - $3::bigint
   order by e.sink, coalesce(e.waiting_since, e.committed_at) limit $4::int
) lately
