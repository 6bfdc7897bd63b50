-- Likewise, behind detach-work.sql: what never ran, and will not any more. $1 operation refs
with letters as (
  select e.id from {schema}.outbox_event e where e.id = any ($1::text[]) and e.dead_at is not null order by e.row for update
)
delete from {schema}.key_record k where k.operation_ref = any (array(select id from letters)) and k.state = 'accepted'
