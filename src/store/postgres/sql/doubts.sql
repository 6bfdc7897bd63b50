-- Gives out doubts that the upstream can be asked about: each to one process, and again after a quarter of its age.
-- $1 now in ms, null for the database's clock; $2 limit; $3 the shortest and $4 the longest such rest in ms. Those that rest for the
-- longest time come first, so that what nobody can resolve does not stand in the way of what is new.
with clock as (
  select coalesce($1::bigint, floor(date_part('epoch', now()) * 1000)::bigint) as now
), due as (
  select k.id, c.now
    from clock c, {schema}.key_record k
   where k.id = any (array(select id from {schema}.unsettled where state = 'uncertain')) and k.state = 'uncertain'
     and k.probe is not null and coalesce(k.probe_after, 0) <= c.now
   order by coalesce(k.probe_after, 0), k.since, k.id limit $2::int
     for update of k skip locked
)
update {schema}.key_record k
   set probe_after = d.now + least($4::bigint, greatest($3::bigint, (d.now - k.since) / 4))
  from due d where k.id = any (array(select id from due)) and k.id = d.id
returning encode(k.id, 'hex'), k.fence, k.route, k.operation_ref, k.cause, k.probe, d.now - k.since, k.outbox
