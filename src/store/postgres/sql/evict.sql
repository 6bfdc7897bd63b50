-- Drops the body of a completed reply and leaves that there was one.
-- $1 now in ms, null for the database's clock; $2 id, $3 by, $4 reason
-- Returns `evicted` (also where it was before), `refused`, `absent` for what is past its retention, or `again` where the row
-- changed since the snapshot; no row for no record.
with clock as (
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
), evicted as (
  update {schema}.key_record k set headers = null, trailers = null, body = null
    from clock c
   where k.id = $2::bytea and k.state = 'completed' and k.retain_until > c.now and k.body is not null
  returning k.id, k.operation_ref, c.now
), acted as (
  insert into {schema}.audit (at, by, reason, verb, id, operation_ref, before)
  select now, $3::text, $4::text, 'evict', id, operation_ref, 'completed' from evicted
)
select case when e.id is not null then 'evicted'
            when k.state <> 'completed' then 'refused'
            when k.retain_until <= c.now then 'absent'
            when k.body is null then 'evicted'
            else 'again' end
  from {schema}.key_record k cross join clock c left join evicted e on e.id = k.id
 where k.id = $2::bytea
