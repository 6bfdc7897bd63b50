-- Of one look, and not of the session: behind a pooler that gives a connection to many, settings of a session would be the application's too.
start transaction read only
