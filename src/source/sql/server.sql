-- Is it a replica, and which version?
select pg_is_in_recovery(), current_setting('server_version_num')
