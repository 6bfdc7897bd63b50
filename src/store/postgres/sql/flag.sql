-- Says that somebody waits. $1 id. Returns `flagged`, `settled`, or `again` where the row changed since the snapshot; no row for none.
with flagged as (
  update {schema}.key_record set waiters = true where id = $1::bytea and state = 'in_flight' and not waiters
  returning id
)
select case when f.id is not null or (k.state = 'in_flight' and k.waiters) then 'flagged' when k.state = 'in_flight' then 'again' else 'settled' end
  from {schema}.key_record k left join flagged f on f.id = k.id
 where k.id = $1::bytea
