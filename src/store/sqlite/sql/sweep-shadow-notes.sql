delete from shadow_key where id in (select id from shadow_key where retain_until <= ?1 order by retain_until limit ?2)
