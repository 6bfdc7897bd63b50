-- ?1 number, ?2 name, ?3 now; no change when it was applied before
insert into migration (number, name, applied_at) values (?1, ?2, ?3) on conflict (number) do nothing
