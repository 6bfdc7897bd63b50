\set n random(1, 9000000000000000)
insert into onceward.key_record (id, key_digest, operation_ref, fingerprint, spec, parts, holder, route, created_at, retain_until, lease_until, fence, attempts, state)
select sha256(int8send(:n)), left(md5(:n::text), length(:key_digest::text)), now::text || left(md5(:n::text), length(:operation_ref::text) - 13), :fingerprint::text, :spec::text, :parts::text, :holder::text, :route::text, now, now + 86400000, now + 60000, 1, 0, 'in_flight'
  from (select floor(date_part('epoch', now()) * 1000)::bigint as now) clock
on conflict (id) do nothing
returning retain_until;
update onceward.key_record
   set state = 'completed', completed_at = floor(date_part('epoch', now()) * 1000)::bigint, lease_until = null,
       attempts = attempts + 1, status = 200, headers = :headers::text, trailers = :trailers::text, body = convert_to(:body::text, 'UTF8')
 where id = sha256(int8send(:n)) and holder = :holder::text and fence = 1 and state = 'in_flight';
