select key_digest, operation_ref, fingerprint, spec, parts, holder, route, headers, trailers, convert_from(body, 'UTF8') as body
  from onceward.key_record
 where state = 'completed' and headers is not null
 limit 1
