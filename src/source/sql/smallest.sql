-- The smallest number of the table.
select min(t.{order})::text from {table} t
