delete from shadow_key where id = ? and holder = ?
