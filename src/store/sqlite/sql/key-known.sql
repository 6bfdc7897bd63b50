-- ?1 hash of the id: 0 if neither of the two trees has anything under it
select exists (select 1 from key_record indexed by key_by_id where id_hash = ?1)
    or exists (select 1 from key_record indexed by key_by_id_again where id_hash = ?1)
