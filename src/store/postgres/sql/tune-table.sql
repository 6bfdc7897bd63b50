-- A row doubles when it is completed, so a page is filled by half with claims and its completions fit in (HOT). Bodies are
-- mostly sealed or small: compressing them costs the server more than it saves.
alter table {schema}.{partition} set (fillfactor = 50), alter column body set storage external
