-- $1 state, in_flight or uncertain; $2 limit. The oldest first.
select encode(k.id, 'hex'), k.key_digest, k.operation_ref, k.fingerprint, k.spec, k.parts, k.holder, k.fence, k.route, k.created_at, k.retain_until, k.attempts,
       k.state, k.lease_until, k.completed_at, k.since, k.cause, k.status, k.headers, k.trailers, encode(k.body, 'base64'), k.probe, k.outbox, k.accepted_at, k.owner
  from {schema}.key_record k
 where k.id = any (array(select id from {schema}.unsettled where state = $1::text)) and k.state = $1::text
 order by coalesce(k.since, k.created_at), k.id limit $2::int
