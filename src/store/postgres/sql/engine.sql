-- What another engine has no word for is null.
select current_setting('server_version_num', true), current_setting('server_encoding', true), current_setting('in_hot_standby', true),
       current_setting('fsync', true), current_setting('full_page_writes', true), current_setting('synchronous_commit', true), current_setting('synchronous_standby_names', true),
       (select count(*) from pg_catalog.pg_stat_replication), current_setting('default_transaction_isolation', true), current_setting('max_connections', true)
