-- Frees keys whose upstream never acted.
-- $1 ids, 32 bytes each, sorted; $2 holders, $3 fences
-- The verdict as in complete.sql, or `waits`: it was accepted, and release-work.sql makes it wait again. Nothing there is what a release wants. So a repeated one writes nothing, and waits for no standby:
-- should the first one be lost in a failover, the key is in flight again and ends as a doubt, and not as a second execution.
with asked as (
  select substring($1::bytea from (a.n * 32 - 31)::int for 32) as id, a.*
    from unnest($2::text[], $3::int[]) with ordinality as a (holder, fence, n)
), released as (
  delete from {schema}.key_record k using asked a
   where k.id = any (array[a.id]) and k.holder = a.holder and k.fence = a.fence and k.state <> 'completed' and k.accepted_at is null
  returning a.n, k.id, k.waiters
), settled as (
  delete from {schema}.unsettled where id = any (array(select id from released))
)
select a.n,
       case when g.n is not null or k.id is null then 'written'
            when k.holder <> a.holder or k.fence <> a.fence or k.state = 'completed' then 'fenced'
            when k.accepted_at is not null then 'waits'
            else 'again' end,
       g.waiters
  from asked a
  left join released g on g.n = a.n
  left join lateral (select r.id, r.holder, r.fence, r.state, r.accepted_at from {schema}.key_record r where r.id = a.id and g.n is null limit 1) k on true
