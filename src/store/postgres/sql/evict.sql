-- Drops the body of a completed reply and leaves that there was one.
-- $1 now in ms, null for the database's clock; $2 id, $3 by, $4 reason
-- Returns the state that was found; no row for none. A record past its retention is none.
with evicted as (
  update {schema}.key_record k set headers = null, trailers = null, body = null
    from (select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now) t
   where k.id = $2::bytea and k.state = 'completed' and k.retain_until > t.now
  returning k.id, k.operation_ref, t.now
), acted as (
  insert into {schema}.audit (at, by, reason, verb, id, operation_ref, before)
  select now, $3::text, $4::text, 'evict', id, operation_ref, 'completed' from evicted
)
select case when exists (select from evicted) then 'evicted' when k.state = 'completed' then 'absent' else 'refused' end
  from {schema}.key_record k where k.id = $2::bytea
