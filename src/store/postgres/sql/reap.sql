-- Turns leases that ended into doubts. $1 now in ms, null for the database's clock; $2 limit
with due as (
  select k.id, t.now
    from (select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now) t, {schema}.key_record k
   where k.id = any (array(select id from {schema}.unsettled where state = 'in_flight')) and k.state = 'in_flight' and k.lease_until <= t.now
   order by k.id limit $2::int
     for update of k skip locked
), expired as (
  update {schema}.key_record k set state = 'uncertain', since = d.now, cause = 'lease-expired', lease_until = null
    from due d where k.id = any (array(select id from due)) and k.id = d.id
  returning k.id, k.waiters
), noted as (
  update {schema}.unsettled set state = 'uncertain' where id = any (array(select id from expired))
)
select encode(id, 'hex'), waiters from expired
