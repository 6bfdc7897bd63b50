-- A completed row takes twice to three times what its claim took, so a page is filled by a third with claims: then their
-- completions fit in (HOT). With 0.5 KB claimed and 0.9 KB completed all updates were HOT at 35, 61 % at 50 and 1 % at 100, and
-- the table took no more: 1.2 KB a key (1.3 at 50, 1.1 at 100), its indexes 0.21 KB (0.26, 0.31).
-- What the sweep deletes is a small share of a large table, and is to be vacuumed before it is a fifth of it.
-- Bodies are mostly sealed or small: compressing them costs the server more than it saves.
alter table {schema}.{partition} set (fillfactor = 35, autovacuum_vacuum_scale_factor = 0.05), alter column body set storage external
