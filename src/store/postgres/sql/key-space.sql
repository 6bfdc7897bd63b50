-- $1 what was seen there (null for nothing), $2 next
update {schema}.installation set key_space = case when key_space is not distinct from $1::text then $2::text else key_space end where one = 1 returning key_space
