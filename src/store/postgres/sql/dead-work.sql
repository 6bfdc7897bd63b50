-- The accepted operations whose dead letters are to be discarded: the same choice as in discard.sql.
-- $1 id, $2 sink, $3 lane, $4 type, null for any; $5 limit; $6 the sink that executes
with named as (
  select case when $1::text is null then 0 else i.row end as first, case when $1::text is null then 9223372036854775807 else i.row end as last
    from (select) one left join {schema}.outbox_event i on i.id = $1::text
), meant as (
  select e.row, e.id, e.sink from {schema}.outbox_event e
   where e.dead_at is not null
     and e.row between (select first from named) and (select last from named) and ($2::text is null or e.sink = $2::text)
     and ($3::text is null or e.lane = $3::text) and ($4::text is null or e.type = $4::text)
   order by e.row limit $5::int
)
select id from meant where sink = $6::text
