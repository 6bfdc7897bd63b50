-- the columns of outbox-audit-rows.ts, in order
insert into outbox_audit (at, verb, event, sink, lane, type, cause, by, reason, checksum)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
