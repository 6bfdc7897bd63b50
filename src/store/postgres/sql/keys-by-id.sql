-- $1 id, $2 limit
select encode(k.id, 'hex'), k.key_digest, k.operation_ref, k.fingerprint, k.spec, k.parts, k.holder, k.fence, k.route, k.created_at, k.retain_until, k.attempts,
       k.state, k.lease_until, k.completed_at, k.since, k.cause, k.status, k.headers, k.trailers, encode(k.body, 'base64'), k.probe, k.outbox, k.accepted_at, k.owner,
       current_setting('synchronous_standby_names', true)
  from {schema}.key_record k where k.id = $1::bytea limit $2::int
