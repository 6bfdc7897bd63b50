-- ?1 the row's number
delete from key_record where row = ?1
