select text, checksum from key_space where one = 1
