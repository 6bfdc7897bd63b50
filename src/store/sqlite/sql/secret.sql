select secret, checksum from installation where one = 1
