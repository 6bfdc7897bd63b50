-- $1 how many records are looked at one by one; beyond it their number is the planner's estimate, of which what waits to be executed
-- (up to a hundred thousand) is no part; $2 the sink that executes
select open.in_flight, open.uncertain, few.completed, few.looked_at,
       (select sum(greatest(c.reltuples, 0))::bigint from pg_catalog.pg_class c
         where c.oid in (select '{schema}.key_record'::regclass union all select inhrelid from pg_catalog.pg_inherits where inhparent = '{schema}.key_record'::regclass)),
       case when few.looked_at < $1::int then 0
            else (select count(*) from (select from {schema}.outbox_event e where e.sink = $2::text and e.dead_at is null limit 100000) waiting) end
  from (select count(*) filter (where state = 'in_flight') as in_flight, count(*) filter (where state = 'uncertain') as uncertain from {schema}.unsettled) open,
       (select count(*) filter (where state = 'completed') as completed, count(*) as looked_at from (select state from {schema}.key_record limit $1::int) first) few
