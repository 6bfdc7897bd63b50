-- Takes or renews leadership of a sink.
-- $1 now in ms, null for the database's clock; $2 sink, $3 holder, $4 how long the lease is, in ms
-- Returns `leading` and the fence, or `following` and for how long the lease of somebody else runs; no row where somebody took
-- it for the first time meanwhile.
with clock as (
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
), granted as (
  insert into {schema}.relay_lease as l (sink, holder, fence, lease_until)
  select $2::text, $3::text, 1, c.now + $4::bigint from clock c
  on conflict (sink) do update
     set holder = excluded.holder, lease_until = excluded.lease_until,
         fence = l.fence + case when l.holder = excluded.holder then 0 else 1 end
   where l.holder is null or l.holder = excluded.holder or l.lease_until <= excluded.lease_until - $4::bigint
  returning fence
)
select 'leading', fence from granted
union all
select 'following', l.lease_until - c.now from clock c, {schema}.relay_lease l where l.sink = $2::text and not exists (select from granted)
