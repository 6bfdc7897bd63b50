insert or replace into shadow_key (id, fingerprint, spec, parts, holder, state, lease_until, retain_until) values (?, ?, ?, ?, ?, ?, ?, ?)
