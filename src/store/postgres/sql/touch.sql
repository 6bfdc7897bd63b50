-- Writes rows as they are, so that this statement's own commit waits for the standby: what an earlier statement of unknown
-- result has written is durable once this one is.
-- $1 ids, 32 bytes each, sorted; $2 holders, $3 fences
with asked as (
  select substring($1::bytea from (a.n * 32 - 31)::int for 32) as id, a.*
    from unnest($2::text[], $3::int[]) with ordinality as a (holder, fence, n)
)
update {schema}.key_record k set attempts = k.attempts
  from asked a
 where k.id = any (array[a.id]) and k.holder = a.holder and k.fence = a.fence
returning a.n, k.state
