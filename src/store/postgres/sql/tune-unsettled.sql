-- Every row lives for one request, so what counts is the number of dead ones and not their share.
alter table {schema}.unsettled set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000)
