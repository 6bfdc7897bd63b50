-- Deletes notes of shadowed routes whose retention is over. $1 now in ms, null for the database's clock; $2 limit
delete from {schema}.shadow_key
 where id = any (array(
   select id from {schema}.shadow_key
    where retain_until <= coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint)
    order by retain_until limit $2::int
      for update skip locked
 ))
returning 1
