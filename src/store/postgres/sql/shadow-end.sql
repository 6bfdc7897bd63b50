-- How requests of shadowed routes have ended. What was released is free from now on, and left to the sweep.
-- $1 now in ms, null for the database's clock; $2 ids, 32 bytes each, sorted; then one element for each: $3 holders, $4 `completed`, `released` or `uncertain`
with asked as (
  select substring($2::bytea from (a.n * 32 - 31)::int for 32) as id, a.*,
         coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
    from unnest($3::text[], $4::text[]) with ordinality as a (holder, ending, n)
)
update {schema}.shadow_key k
   set state = case when a.ending = 'released' then k.state else a.ending end,
       retain_until = case when a.ending = 'released' then a.now else k.retain_until end
  from asked a
 where k.id = any (array[a.id]) and k.holder = a.holder
