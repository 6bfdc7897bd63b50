-- ?1 limit; newest first
select at, verb, id, operation_ref, before, by, reason, checksum
  from audit_entry order by row desc limit ?1
