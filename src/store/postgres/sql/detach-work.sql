-- Before their dead letters are discarded, in the same transaction: operations that may have run are from now on as if their clients had
-- claimed them, and none of them changes any more until the end of it. Whose letter is none any more, because somebody has put it back
-- meanwhile, keeps what it has: its event will be delivered.
-- $1 operation refs
with locked as (
  select k.id, k.state, k.operation_ref from {schema}.key_record k
   where k.id = any (array(select id from {schema}.key_record where operation_ref = any ($1::text[]))) and k.accepted_at is not null
   order by k.id for update
), letters as (
  select e.id from {schema}.outbox_event e
   where e.id = any (array(select operation_ref from locked)) and e.dead_at is not null
   order by e.row for update
)
update {schema}.key_record k set accepted_at = null, owner = null
 where k.id = any (array(select id from locked where state in ('in_flight', 'uncertain') and operation_ref in (select id from letters)))
   and k.state in ('in_flight', 'uncertain')
