-- ?1 id, ?2 its holder, ?3 the state
update shadow_key set state = ?3 where id = ?1 and holder = ?2
