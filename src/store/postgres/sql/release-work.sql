-- Makes wait again what was accepted, and what the upstream never acted on.
-- $1 ids, 32 bytes each, sorted; $2 holders, $3 fences
-- The verdict as in complete.sql. What waits already is as its release wants it; see release.sql for why that waits for no standby.
with asked as (
  select substring($1::bytea from (a.n * 32 - 31)::int for 32) as id, a.*
    from unnest($2::text[], $3::int[]) with ordinality as a (holder, fence, n)
), released as (
  update {schema}.key_record k set state = 'accepted', lease_until = null, since = null, cause = null
    from asked a
   where k.id = any (array[a.id]) and k.holder = a.holder and k.fence = a.fence and k.state in ('in_flight', 'uncertain') and k.accepted_at is not null
  returning a.n, k.id, k.waiters
), settled as (
  delete from {schema}.unsettled where id = any (array(select id from released))
)
select a.n,
       case when g.n is not null or k.id is null or (k.holder = a.holder and k.fence = a.fence and k.state = 'accepted') then 'written'
            when k.holder <> a.holder or k.fence <> a.fence or k.state = 'completed' then 'fenced'
            else 'again' end,
       g.waiters
  from asked a
  left join released g on g.n = a.n
  left join lateral (select r.id, r.holder, r.fence, r.state from {schema}.key_record r where r.id = a.id and g.n is null limit 1) k on true
