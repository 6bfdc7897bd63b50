-- $1 how long a statement may take, of this transaction alone
select set_config('statement_timeout', $1::text, true)
