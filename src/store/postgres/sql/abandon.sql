-- Puts keys in doubt whose upstream may have acted.
-- $1 now in ms, null for the database's clock; $2 ids, 32 bytes each, sorted; $3 holders, $4 fences, $5 causes, $6 attempts
-- The verdict as in complete.sql.
with asked as (
  select substring($2::bytea from (a.n * 32 - 31)::int for 32) as id, a.*,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from unnest($3::text[], $4::int[], $5::text[], $6::int[]) with ordinality as a (holder, fence, cause, attempts, n)
), abandoned as (
  update {schema}.key_record k
     set state = 'uncertain', since = a.now, cause = a.cause, lease_until = null, attempts = k.attempts + a.attempts
    from asked a
   where k.id = any (array[a.id]) and k.holder = a.holder and k.fence = a.fence and k.state = 'in_flight'
  returning a.n, k.id, k.waiters
), noted as (
  update {schema}.unsettled set state = 'uncertain' where id = any (array(select id from abandoned))
)
select a.n,
       case when b.n is not null then 'written'
            when k.id is null or k.holder <> a.holder or k.fence <> a.fence or k.state in ('accepted', 'completed') then 'fenced'
            when k.state = 'uncertain' then 'repeated'
            else 'again' end,
       b.waiters
  from asked a
  left join abandoned b on b.n = a.n
  left join lateral (select r.id, r.holder, r.fence, r.state from {schema}.key_record r where r.id = a.id and b.n is null limit 1) k on true
