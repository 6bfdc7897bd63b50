-- $1 how many. Copies of one completed record under ids that spread as ours do, with times and names as a day of traffic leaves them.
insert into onceward.key_record (id, key_digest, operation_ref, created_at, retain_until, completed_at, fence, attempts, status, state, holder, fingerprint, spec, parts, route, headers, trailers, body)
select sha256(int8send(n)), translate(left(encode(sha256(int8send(-n)), 'base64'), length(m.key_digest)), '+/', '-_'),
       left(m.operation_ref, 3) || lpad(n::text, 9, '0') || right(m.operation_ref, -12),
       m.created_at + n / 100, m.retain_until + n / 100, m.completed_at + n / 100, 1, 1, m.status, 'completed', m.holder, m.fingerprint, m.spec, m.parts, m.route, m.headers, m.trailers, m.body
  from generate_series(1, $1::bigint) n cross join model m
