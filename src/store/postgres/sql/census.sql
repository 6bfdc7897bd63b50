-- $1 up to how many records are counted one by one; beyond it the number is the planner's estimate
select open.in_flight, open.uncertain,
       (select count(*) from (select from {schema}.key_record limit $1::int) few),
       (select sum(greatest(c.reltuples, 0))::bigint from pg_catalog.pg_class c
         where c.oid in (select '{schema}.key_record'::regclass union all select inhrelid from pg_catalog.pg_inherits where inhparent = '{schema}.key_record'::regclass))
  from (select count(*) filter (where state = 'in_flight') as in_flight, count(*) filter (where state = 'uncertain') as uncertain from {schema}.unsettled) open
