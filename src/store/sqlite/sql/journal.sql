-- all of it, in the order of the commits
select number, entries, bodies, checksum from journal order by number
