-- ?1 the row's number
delete from outbox_event where row = ?1
