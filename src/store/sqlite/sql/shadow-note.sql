select fingerprint, spec, parts, holder, state, lease_until, retain_until from shadow_key where id = ?
