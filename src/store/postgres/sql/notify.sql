-- $1 channel, $2 ids. A statement of its own: inside a settle it would take a lock of the whole server at its commit.
select pg_notify($1::text, $2::text)
