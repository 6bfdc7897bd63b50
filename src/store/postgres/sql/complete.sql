-- Writes replies, and the events that leave with them.
-- $1 now in ms, null for the database's clock; $2 ids, 32 bytes each, sorted; $3 holders, $4 fences, $5 attempts, $6 statuses
-- $7 bytes of all replies and events, one behind the other
-- $8 where in them a reply begins (from 1; null if its body is not kept), and how long are its $9 headers, $10 trailers, $11 body
-- $12 to which reply an event belongs (its place in the arrays), $13 ids, $14 sinks, $15 lanes, $16 types,
-- $17 where in $7 its payload begins, $18 how long it is, $19 its flaw: it is a dead letter from the beginning, and blocks nobody
-- The verdict is `written`, `repeated` (written by the same claim before), `fenced`, or `again`: changed since the snapshot.
with asked as (
  select substring($2::bytea from (a.n * 32 - 31)::int for 32) as id, a.*,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from unnest($3::text[], $4::int[], $5::int[], $6::int[], $8::int[], $9::int[], $10::int[], $11::int[])
    with ordinality as a (holder, fence, attempts, status, place, headers, trailers, body, n)
), completed as (
  update {schema}.key_record k
     set state = 'completed', completed_at = a.now, lease_until = null, since = null, cause = null, probe = null, outbox = null,
         attempts = k.attempts + a.attempts, status = a.status,
         headers = convert_from(substring($7::bytea from a.place for a.headers), 'UTF8'),
         trailers = convert_from(substring($7::bytea from a.place + a.headers for a.trailers), 'UTF8'),
         body = substring($7::bytea from a.place + a.headers + a.trailers for a.body),
         retain_until = case when k.state = 'uncertain' or k.accepted_at is not null then greatest(k.retain_until, a.now + k.retain_until - k.created_at) else k.retain_until end
    from asked a
   where k.id = any (array[a.id]) and k.holder = a.holder and k.fence = a.fence and k.state in ('in_flight', 'uncertain')
  returning a.n, k.id, k.waiters, k.completed_at
), settled as (
  delete from {schema}.unsettled where id = any (array(select id from completed))
), committed as (
  insert into {schema}.outbox_event (id, sink, lane, type, payload, committed_at, dead_at, cause, unbuilt)
  select e.id, e.sink, e.lane, e.type, substring($7::bytea from e.place for e.length), c.completed_at,
         case when e.flaw is not null then c.completed_at end, e.flaw, e.flaw is not null
    from unnest($12::int[], $13::text[], $14::text[], $15::text[], $16::text[], $17::int[], $18::int[], $19::text[])
    with ordinality as e (reply, id, sink, lane, type, place, length, flaw, n)
    join completed c on c.n = e.reply
   order by e.n
  on conflict (id) do nothing
)
select a.n,
       case when a.done then 'written'
            when k.id is null or k.holder <> a.holder or k.fence <> a.fence or k.state = 'accepted' then 'fenced'
            when k.state = 'completed' then 'repeated'
            else 'again' end,
       a.n in (select n from completed where waiters)
  from (select asked.*, n in (select n from completed) as done from asked offset 0) a
  left join lateral (select r.id, r.holder, r.fence, r.state from {schema}.key_record r where r.id = a.id and not a.done limit 1) k on true
