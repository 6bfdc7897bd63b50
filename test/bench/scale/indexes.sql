select indexname as name, indexdef as definition
  from pg_indexes
 where schemaname = 'onceward' and tablename = 'key_record' and indexname <> 'key_record_pkey'
