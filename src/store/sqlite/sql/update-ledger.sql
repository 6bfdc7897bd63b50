-- ?1 commit number, ?2 in flight, ?3 uncertain, ?4 completed, ?5 checksum
update ledger set commit_number = ?1, in_flight = ?2, uncertain = ?3, completed = ?4, checksum = ?5 where one = 1
