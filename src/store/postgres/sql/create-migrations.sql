-- `breaking`: what was there before cannot be read or written by a program that does not know this migration
create table if not exists {schema}.migration (number int primary key, name text not null, breaking boolean not null, applied_at timestamptz not null default now())
