-- $1 the table, in quotes where it needs them. What it is, what its columns are, which of them an index begins with, and whether row security
-- hides rows of it; nothing if it is not there. Who may not read the table may read this.
select a.attname, format_type(a.atttypid, null), a.attnotnull,
       exists (select from pg_catalog.pg_index i where i.indrelid = a.attrelid and i.indkey[0] = a.attnum),
       c.relkind, row_security_active(c.oid)
  from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 where c.oid = to_regclass($1::text)
