-- A lease that ended becomes a doubt for whoever asks first.
-- $1 now in ms, null for the database's clock; $2 ids, 32 bytes each, sorted; $3 their number
-- Returns those that were still in flight, and whether somebody waits for them.
with asked as (
  select substring($2::bytea from (n * 32 - 31)::int for 32) as id, n,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from generate_series(1, $3::int) as a (n)
), expired as (
  update {schema}.key_record k
     set state = 'uncertain', since = a.now, cause = 'lease-expired', lease_until = null
    from asked a
   where k.id = any (array[a.id]) and k.state = 'in_flight' and k.lease_until <= a.now
  returning a.n, k.id, k.waiters
), noted as (
  update {schema}.unsettled set state = 'uncertain' where id = any (array(select id from expired))
)
select n, waiters from expired
