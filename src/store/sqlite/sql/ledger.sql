select commit_number, in_flight, uncertain, completed, checksum from ledger where one = 1
