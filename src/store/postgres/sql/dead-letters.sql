-- $1 id, $2 sink, $3 lane, $4 type, null for any; $5 behind this row; $6 limit
select e.row, e.id, e.sink, e.lane, e.type, encode(e.payload, 'base64'), e.committed_at, e.dead_at, e.attempts, e.cause, e.history, e.unbuilt, e.blocks
  from {schema}.outbox_event e
 where e.dead_at is not null and e.row > $5::bigint
   and ($1::text is null or e.id = $1::text) and ($2::text is null or e.sink = $2::text)
   and ($3::text is null or e.lane = $3::text) and ($4::text is null or e.type = $4::text)
 order by e.row limit $6::int
