select position, checksum from source_position where source = ?
