select sink, count(*) from outbox_event indexed by dead_by_sink where dead_at is not null group by sink
