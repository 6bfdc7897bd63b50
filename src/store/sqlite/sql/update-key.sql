-- the columns of rows.ts that a transition may change, in order, then the row's number; the other columns are not
-- named, so that the indexes on them are left alone
update key_record
   set holder = ?, fence = ?, retain_until = ?, attempts = ?, state = ?, lease_until = ?, completed_at = ?, since = ?,
       cause = ?, status = ?, headers = ?, trailers = ?, body = ?, probe = ?, outbox = ?, checksum = ?
 where row = ?
