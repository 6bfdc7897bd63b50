-- ?1 id, ?2 sink
delete from outbox_event where id = ?1 and sink = ?2
