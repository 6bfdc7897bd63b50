-- The id by its row: a plan that is made once for all filters would else look through every dead letter for it.
-- $1 id, $2 sink, $3 lane, $4 type, null for any; $5 behind this row; $6 limit
with named as (
  select case when $1::text is null then 0 else i.row end as first, case when $1::text is null then 9223372036854775807 else i.row end as last
    from (select) one left join {schema}.outbox_event i on i.id = $1::text
)
select e.row, e.id, e.sink, e.lane, e.type, encode(e.payload, 'base64'), e.committed_at, e.dead_at, e.attempts, e.cause, e.history, e.unbuilt, e.blocks
  from {schema}.outbox_event e
 where e.dead_at is not null and e.row > $5::bigint
   and e.row between (select first from named) and (select last from named) and ($2::text is null or e.sink = $2::text)
   and ($3::text is null or e.lane = $3::text) and ($4::text is null or e.type = $4::text)
 order by e.row limit $6::int
