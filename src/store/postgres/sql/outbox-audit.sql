-- $1 limit; newest first
select at, by, reason, verb, event, sink, lane, type, cause from {schema}.outbox_audit order by row desc limit $1::int
