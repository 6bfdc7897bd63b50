-- Ends a leadership, if it stands. $1 sink, $2 holder, $3 fence
update {schema}.relay_lease set holder = null, lease_until = 0 where sink = $1::text and holder = $2::text and fence = $3::bigint
returning 1
