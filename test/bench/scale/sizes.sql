select relname as name, pg_relation_size(c.oid)::float8 as bytes
  from pg_class c
 where c.oid = 'onceward.key_record'::regclass or c.oid in (select indexrelid from pg_index where indrelid = 'onceward.key_record'::regclass)
 order by c.relkind desc, relname
