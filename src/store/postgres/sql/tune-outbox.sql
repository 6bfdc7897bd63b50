-- Every row lives until its delivery, so what counts is the number of dead ones and not their share. A failed delivery changes no
-- column that an index holds: with some room left its new version stays in the page of the old one.
alter table {schema}.outbox_event set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000), alter column payload set storage external
