-- Plans: each statement is planned once for a connection, since for a few rows planning costs more than doing. A plan that is made
-- while a table is empty would scan it, and be kept while the table grows; one that uses the index is right at any size. This is
-- also why statements say `k.id = any (array[a.id])` and not `k.id = a.id`: such a condition can be looked up in the index, row by row
-- of the batch, and in no other way, while a plain one could begin at the wrong end. Nor are the parts of a statement joined to the
-- batch, which would compare each with each (half the time of 64 completions): `in (select ...)` in a list of columns is hashed.
-- Whatever has no index looks dear to such a planner, and would be compiled for longer than it runs: no JIT.
-- Locks: a row that somebody holds for long is not to hold up the others of its batch. Later than the server looks for deadlocks.
select set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false),
       set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false), set_config('jit', 'off', false), set_config('lock_timeout', '2s', false)
