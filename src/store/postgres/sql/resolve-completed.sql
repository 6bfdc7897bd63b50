-- Ends a doubt with a reply. The row changes hands, so that its old holder's late answer cannot overwrite it.
-- $1 now in ms, null for the database's clock; $2 id, $3 fence, $4 by, $5 reason (null for the flow's own)
-- $6 status, $7 headers, $8 trailers, $9 body (null if not kept)
-- $10 ids, $11 sinks, $12 lanes, $13 types of events, $14 their payloads, one behind the other, $15 where each begins (from 1), $16 its length, $17 its flaw
with resolved as (
  update {schema}.key_record k
     set holder = 'resolver', fence = k.fence + 1, state = 'completed', since = null, cause = null, probe = null, outbox = null,
         completed_at = t.now, status = $6::int, headers = $7::text, trailers = $8::text, body = $9::bytea,
         retain_until = greatest(k.retain_until, t.now + k.retain_until - k.created_at)
    from (select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now) t
   where k.id = $2::bytea and k.fence = $3::int and k.state = 'uncertain'
  returning k.id, k.operation_ref, k.waiters, k.completed_at
), settled as (
  delete from {schema}.unsettled where id = any (array(select id from resolved))
), acted as (
  insert into {schema}.audit (at, by, reason, verb, id, operation_ref, before)
  select completed_at, $4::text, $5::text, 'resolve', id, operation_ref, 'uncertain' from resolved where $4::text is not null
), committed as (
  insert into {schema}.outbox_event (id, sink, lane, type, payload, committed_at, dead_at, cause, unbuilt)
  select e.id, e.sink, e.lane, e.type, substring($14::bytea from e.place for e.length), r.completed_at,
         case when e.flaw is not null then r.completed_at end, e.flaw, e.flaw is not null
    from resolved r,
         unnest($10::text[], $11::text[], $12::text[], $13::text[], $15::int[], $16::int[], $17::text[]) with ordinality as e (id, sink, lane, type, place, length, flaw, n)
   order by e.n
  on conflict (id) do nothing
)
select waiters from resolved
