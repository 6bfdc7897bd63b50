-- How full the table's pages are made, and how full of completed records they are once those that were claimed in them are completed.
select o.option_value::int as claimed,
       (o.option_value::int * pg_column_size(k.*) / (pg_column_size(k.*) - pg_column_size(k.headers) - pg_column_size(k.trailers) - pg_column_size(k.body)))::int as completed
  from onceward.key_record k, pg_class c, pg_options_to_table(c.reloptions) o
 where c.oid = 'onceward.key_record'::regclass and o.option_name = 'fillfactor'
