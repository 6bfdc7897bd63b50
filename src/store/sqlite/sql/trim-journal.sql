-- ?1 the last number that is in key_record
delete from journal where number <= ?1
