-- How to ask the upstream about a doubt, as the claim had it (core/probe.ts), and until when nobody asks again. Columns without
-- a default: the table is not written anew, and an older program, which names the columns that it writes, goes on.
alter table {schema}.key_record add column probe text collate "C";
alter table {schema}.key_record add column probe_after bigint;
