listen {schema}_settled
