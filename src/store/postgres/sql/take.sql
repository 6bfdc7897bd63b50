-- Heads of lanes, and what stands behind them.
-- $1 now in ms, null for the database's clock; $2 sink; $3 looks at lanes behind this one, null for the first
-- $4 lanes, $5 events of one lane, $6 payload bytes, $7 lanes that are passed over, $8 how many lanes are looked at
-- One step of `walk` is one look into waiting_by_lane, however many rows a lane has. Nothing is remembered of where rows ended: one
-- that commits late is at the head of its lane when it is looked at the next time.
with recursive clock as (
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
), walk (n, found, lane, is_open, due_in) as (
  select 0, 0, $3::text collate "C", false, null::bigint
  union all
  select w.n + 1, w.found + h.is_open::int, h.lane, h.is_open, h.due_in
    from walk w cross join lateral (
      select e.lane, s.is_free and e.due_in is null as is_open, case when s.is_free then e.due_in end as due_in
        from (
          select f.lane, case when f.not_before > c.now then f.not_before - c.now end as due_in
            from clock c, {schema}.outbox_event f
           where f.sink = $2::text and f.dead_at is null
             and (f.lane, f.row) > (coalesce(w.lane, ''), case when w.lane is null then -1 else 9223372036854775807 end)
           order by f.sink, f.lane, f.row limit 1
        ) e cross join lateral (
          select e.lane <> all ($7::text[])
             and not exists (select from {schema}.outbox_event b where b.sink = $2::text and b.lane = e.lane and b.blocks) as is_free
          offset 0 -- one look for three questions
        ) s
    ) h
   where w.n < $8::int and w.found < $4::int
), looked as (
  select (array_agg(lane order by n desc))[1] as last, max(n) = $8::int or max(found) = $4::int as is_cut, min(due_in) as due_in from walk
), heads as (
  select w.n, e.*, count(*) filter (where e.rests) over (partition by w.n order by e.row) > 0 as is_behind
    from walk w cross join lateral (
      select f.row, f.id, f.lane, f.type, f.payload, f.committed_at, f.attempts, c.now - f.first_failed_at as first_failed_ms, coalesce(f.not_before > c.now, false) as rests
        from clock c, {schema}.outbox_event f
       where f.sink = $2::text and f.lane = w.lane and f.dead_at is null
       order by f.sink, f.lane, f.row limit $5::int
    ) e
   where w.is_open
), ready as (
  select h.*, sum(octet_length(h.payload)) over (order by h.n, h.row) as bytes, row_number() over (order by h.n, h.row) as place
    from heads h where not h.is_behind
), fitting as (
  select * from ready where bytes <= $6::bigint or place = 1
)
select f.row, f.id, f.lane, f.type, encode(f.payload, 'base64'), f.committed_at, f.attempts, f.first_failed_ms,
       case when exists (select from ready where bytes > $6::bigint and place > 1) then (select lane from fitting order by place desc limit 1)
            when l.is_cut then l.last end,
       l.due_in, (select now from clock)
  from looked l left join fitting f on true
 order by f.place
