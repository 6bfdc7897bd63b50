-- ?1 limit; those that the upstream can be asked about, oldest doubt first
select row, id, key_digest, operation_ref, fingerprint, spec, parts, route, created_at,
       holder, fence, retain_until, attempts, state, lease_until, completed_at, since, cause,
       status, headers, trailers, body, probe, outbox, accepted_at, owner, checksum
  from key_record indexed by uncertain_by_since
 where state = 'uncertain' and probe is not null order by since limit ?1
