-- A plan made while the table is empty would scan it, and be kept while the table grows. One that uses the index is right at any size.
select set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false)
