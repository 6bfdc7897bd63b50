-- Is this a server that takes writes?
select current_setting('transaction_read_only')
