-- ?1 id; the second opinion when a write finds no row
select row, id, key_digest, operation_ref, fingerprint, spec, parts, route, created_at,
       holder, fence, retain_until, attempts, state, lease_until, completed_at, since, cause,
       status, headers, trailers, body, probe, outbox, accepted_at, owner, checksum
  from key_record indexed by in_flight_by_id
 where state = 'in_flight' and id = ?1
