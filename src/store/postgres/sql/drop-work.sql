-- Likewise, behind detach-work.sql: what never ran, and will not any more. $1 operation refs
delete from {schema}.key_record k where k.operation_ref = any ($1::text[]) and k.state = 'accepted'
