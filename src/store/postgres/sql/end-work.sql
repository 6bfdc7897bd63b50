-- In the transaction in which resolve-completed.sql has ended the doubt of an accepted operation: nothing is left to be executed.
-- $1 the record's id, $2 its fence before, $3 the sink that executes
delete from {schema}.outbox_event e
 where e.sink = $3::text and e.id = (
   select k.operation_ref from {schema}.key_record k
    where k.id = $1::bytea and k.fence = $2::int + 1 and k.state = 'completed' and k.holder = 'resolver' and k.accepted_at is not null
 )
