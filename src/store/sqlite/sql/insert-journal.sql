-- ?1 number of the commit, ?2 entries, ?3 bodies, ?4 checksum; see journal.ts
insert into journal (number, entries, bodies, checksum) values (?1, ?2, ?3, ?4)
