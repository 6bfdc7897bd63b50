-- what becomes of an event, in the order of event-rows.ts, then the row's number
update outbox_event
   set attempts = ?, not_before = ?, first_failed_at = ?, waiting_since = ?, dead_at = ?, cause = ?, blocks = ?, unbuilt = ?, history = ?, checksum = ?
 where row = ?
