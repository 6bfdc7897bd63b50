-- ?1 secret, ?2 checksum; the first writer wins
update installation set secret = ?1, checksum = ?2 where one = 1 and secret is null
