-- Before their dead letters are discarded, in the same transaction: operations that may have run are from now on as if their clients had
-- claimed them, and none of them changes any more until the end of it.
-- $1 operation refs
with locked as (
  select k.id, k.state from {schema}.key_record k
   where k.operation_ref = any ($1::text[]) and k.accepted_at is not null
     for update
)
update {schema}.key_record k set accepted_at = null, owner = null
 where k.id = any (array(select id from locked where state in ('in_flight', 'uncertain'))) and k.state in ('in_flight', 'uncertain')
