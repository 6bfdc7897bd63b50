-- ?1 now, ?2 limit; completed ones only
select row, id, key_digest, operation_ref, fingerprint, spec, parts, route, created_at,
       holder, fence, retain_until, attempts, state, lease_until, completed_at, since, cause,
       status, headers, trailers, body, probe, outbox, accepted_at, owner, checksum
  from key_record indexed by completed_by_retention
 where state = 'completed' and retain_until <= ?1 order by retain_until limit ?2
