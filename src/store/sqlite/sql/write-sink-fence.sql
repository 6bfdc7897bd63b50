-- ?1 sink, ?2 fence, ?3 checksum
insert into sink_fence (sink, fence, checksum) values (?1, ?2, ?3)
on conflict (sink) do update set fence = excluded.fence, checksum = excluded.checksum
