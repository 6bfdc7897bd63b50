-- $1 how many, $2 in how many lanes; one event a millisecond up to now
insert into onceward.outbox_event (id, sink, lane, type, payload, committed_at)
select 'evt_' || n, 'many', 'customer-' || lpad((n % $2::bigint)::text, 8, '0'), 'charge.created', convert_to(rpad('{"id":"evt_' || n || '"', 300, ' ') || '}', 'UTF8'),
       floor(date_part('epoch', now()) * 1000)::bigint - $1::bigint + n
  from generate_series(1, $1::bigint) n
