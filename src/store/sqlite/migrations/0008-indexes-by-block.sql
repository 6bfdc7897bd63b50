-- What is looked up by operators alone is indexed by blocks of 4,096 rows. New rows all belong to the last block, so the entries
-- of a group of them lie on a few pages, where in the order of random digests nearly each had a page of its own to be written.
-- Who looks something up asks each block.
drop index key_by_digest;
drop index key_by_operation;
create index key_by_digest on key_record (row >> 12, digest_hash);
create index key_by_operation on key_record (row >> 12, operation_ref);

-- The second opinion on an id that key_by_id does not have: the same in other pages, in the order in which new rows come.
create index key_by_id_again on key_record (id_hash);
