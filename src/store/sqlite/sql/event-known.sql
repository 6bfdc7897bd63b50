select 1 from outbox_event where id = ?
