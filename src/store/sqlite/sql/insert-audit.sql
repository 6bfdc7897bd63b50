-- the columns of audit-rows.ts, in order
insert into audit_entry (at, verb, id, operation_ref, before, by, reason, checksum)
values (?, ?, ?, ?, ?, ?, ?, ?)
