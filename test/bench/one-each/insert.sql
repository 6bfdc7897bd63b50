-- $1 id, $2 key digest, $3 operation ref, $4 fingerprint, $5 spec, $6 parts, $7 holder, $8 route, $9 lease in ms, $10 retention in ms
insert into {schema}.key_record (id, key_digest, operation_ref, fingerprint, spec, parts, holder, route, created_at, retain_until, lease_until, fence, attempts, state)
select $1::bytea, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, now, now + $10::bigint, now + $9::bigint, 1, 0, 'in_flight'
  from (select floor(date_part('epoch', now()) * 1000)::bigint as now) clock
on conflict (id) do nothing
returning retain_until
