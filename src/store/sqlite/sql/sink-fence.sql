-- ?1 sink
select fence, checksum from sink_fence where sink = ?1
