-- Writes a row as it is that is completed, or was accepted. What others have committed, and what we have read of it, may still be waited for by nobody but
-- them, and be lost with this server: once this statement's own commit was waited for, the standby has all that came before.
-- $1 id. No row where it is neither any more.
update {schema}.key_record k set attempts = k.attempts where k.id = $1::bytea and (k.state = 'completed' or k.accepted_at is not null)
returning 1
