-- ?1 hash of the id, ?2 hash of the key digest: 0 if neither of the two trees has anything under them
select exists (select 1 from key_record indexed by key_by_id where id_hash = ?1)
    or exists (select 1 from key_record indexed by key_by_digest where digest_hash = ?2 and id_hash = ?1)
