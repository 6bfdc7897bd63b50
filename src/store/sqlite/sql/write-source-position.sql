insert into source_position (source, position, checksum) values (?, ?, ?)
  on conflict (source) do update set position = excluded.position, checksum = excluded.checksum
