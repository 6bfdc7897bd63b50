-- ?1 hash of the key digest, ?2 key digest, ?3 limit
select row, id, key_digest, operation_ref, fingerprint, spec, parts, route, created_at,
       holder, fence, retain_until, attempts, state, lease_until, completed_at, since, cause,
       status, headers, trailers, body, probe, outbox, checksum
  from key_record indexed by key_by_digest
 where digest_hash = ?1 and key_digest = ?2 limit ?3
