-- $1 the table, in quotes where it needs them; $2 a column. The sequence that belongs to the column; nothing if there is none.
select s.seqincrement, s.seqcache, s.seqcycle
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
                             and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
  join pg_catalog.pg_sequence s on s.seqrelid = d.objid
 where a.attrelid = to_regclass($1::text) and a.attname = $2::text and not a.attisdropped
