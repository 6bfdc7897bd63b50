-- ?1 limit; newest first
select at, verb, event, sink, lane, type, cause, by, reason, checksum
  from outbox_audit order by row desc limit ?1
