-- The smallest and the largest number of the table.
select min(t.{order})::text, max(t.{order})::text from {table} t
