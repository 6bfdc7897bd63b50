-- Extends leases, counted from now.
-- $1 now in ms, null for the database's clock; $2 ids, 32 bytes each, sorted; $3 holders, $4 fences, $5 leases in ms
-- The verdict as in complete.sql.
with asked as (
  select substring($2::bytea from (a.n * 32 - 31)::int for 32) as id, a.*,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from unnest($3::text[], $4::int[], $5::bigint[]) with ordinality as a (holder, fence, lease_ms, n)
), renewed as (
  update {schema}.key_record k set lease_until = a.now + a.lease_ms
    from asked a
   where k.id = any (array[a.id]) and k.holder = a.holder and k.fence = a.fence and k.state = 'in_flight'
  returning a.n
)
select a.n,
       case when r.n is not null then 'written'
            when k.id is null or k.holder <> a.holder or k.fence <> a.fence or k.state <> 'in_flight' then 'fenced'
            else 'again' end,
       null
  from asked a
  left join renewed r on r.n = a.n
  left join lateral (select q.id, q.holder, q.fence, q.state from {schema}.key_record q where q.id = a.id and r.n is null limit 1) k on true
