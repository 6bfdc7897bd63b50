-- $1 limit; newest first
select at, by, reason, verb, encode(id, 'hex'), operation_ref, before from {schema}.audit order by row desc limit $1::int
