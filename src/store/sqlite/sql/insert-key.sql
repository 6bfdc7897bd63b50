-- the columns of rows.ts, in order, then the hashes of id and key digest
insert into key_record (id, key_digest, operation_ref, fingerprint, spec, parts, route, created_at,
       holder, fence, retain_until, attempts, state, lease_until, completed_at, since, cause,
       status, headers, trailers, body, probe, outbox, accepted_at, owner, checksum, id_hash, digest_hash)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
