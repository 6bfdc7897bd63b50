select number, name, breaking from {schema}.migration order by number
