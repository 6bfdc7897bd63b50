-- $1 candidate; the first one stays
update {schema}.installation set secret = coalesce(secret, $1::text) where one = 1 returning secret
