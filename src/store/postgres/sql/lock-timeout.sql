-- for this transaction: a migration that waits for a lock makes all who come after it wait too
select set_config('lock_timeout', '2s', true)
