-- What a request gives to the events of its completion, as the claim had it (core/outbox-draft.ts); null for a route without
-- events. A column without a default: the table is not written anew, and an older program, which names the columns that it writes, goes on.
alter table {schema}.key_record add column outbox text collate "C";
