-- $1 id, $2 holder, $3 fence, $4 attempts, $5 status, $6 headers, $7 trailers, $8 body
update {schema}.key_record
   set state = 'completed', completed_at = floor(date_part('epoch', now()) * 1000)::bigint, lease_until = null,
       attempts = attempts + $4::int, status = $5::int, headers = $6::text, trailers = $7::text, body = $8::bytea
 where id = $1::bytea and holder = $2::text and fence = $3::int and state = 'in_flight'
