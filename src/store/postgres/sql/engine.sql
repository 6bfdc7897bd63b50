select current_setting('server_version_num'), current_setting('server_encoding'), pg_is_in_recovery(),
       current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
       (select count(*) from pg_catalog.pg_stat_replication), current_setting('default_transaction_isolation'), current_setting('max_connections')
