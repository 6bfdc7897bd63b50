-- ?1 the row's number, ?2 sink; what waits there no more is passed over
delete from outbox_event where row = ?1 and sink = ?2 and dead_at is null
