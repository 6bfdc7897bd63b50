-- ?1 operation ref
with recursive block (number) as (
  select min(row) >> 12 from key_record
  union all
  select (select min(row) >> 12 from key_record where row >= (number + 1) << 12) from block where number is not null
)
select row, id, key_digest, operation_ref, fingerprint, spec, parts, route, created_at,
       holder, fence, retain_until, attempts, state, lease_until, completed_at, since, cause,
       status, headers, trailers, body, probe, outbox, accepted_at, owner, checksum
  from block cross join key_record indexed by key_by_operation on row >> 12 = number and operation_ref = ?1
