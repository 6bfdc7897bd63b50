-- $1 the sink that executes, which has an event for each of them; $2 limit. The oldest first.
select encode(k.id, 'hex'), k.key_digest, k.operation_ref, k.fingerprint, k.spec, k.parts, k.holder, k.fence, k.route, k.created_at, k.retain_until, k.attempts,
       k.state, k.lease_until, k.completed_at, k.since, k.cause, k.status, k.headers, k.trailers, encode(k.body, 'base64'), k.probe, k.outbox, k.accepted_at, k.owner
  from {schema}.key_record k
 where k.operation_ref = any (array(
   select e.id from {schema}.outbox_event e where e.sink = $1::text and e.dead_at is null
   union all
   select e.id from {schema}.outbox_event e where e.sink = $1::text and e.dead_at is not null
 )) and k.state = 'accepted'
 order by k.accepted_at, k.id limit $2::int
