-- $1 how many. The largest numbers of the table, in order, of one snapshot.
select r.n::text from (
  select t.{order}::bigint as n from {table} t where t.{order} is not null order by t.{order} desc limit $1::int
) r order by r.n
