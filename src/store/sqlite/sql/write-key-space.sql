-- ?1 text, ?2 checksum, ?3 the text that must stand there, null for none
update key_space set text = ?1, checksum = ?2 where one = 1 and text is ?3
