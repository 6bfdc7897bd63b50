-- $1 number, $2 name, $3 breaking
insert into {schema}.migration (number, name, breaking) values ($1::int, $2::text, $3::boolean) on conflict (number) do nothing
