-- Requests that were accepted, to be executed later (core/record.ts): a state more, and since when and for whom. Columns without a
-- default and CHECKs that look at no row that is there already: nothing is read or written anew. An older program goes on, and what was
-- accepted is an outage to it, never a key that it may run; but what it resolves as not executed, it frees. So have all replicas on this
-- version before a route accepts (docs/postgres.md).
alter table {schema}.key_record
  add column accepted_at bigint,
  -- null: its own client claimed it
  add column owner text collate "C",
  drop constraint key_record_state_check,
  add constraint key_record_state_check check (state in ('accepted', 'in_flight', 'completed', 'uncertain')) not valid,
  add constraint accepted_has_time check (state <> 'accepted' or accepted_at is not null) not valid,
  add constraint accepted_has_owner check ((accepted_at is null) = (owner is null)) not valid;

alter table {schema}.audit
  drop constraint audit_before_check,
  add constraint audit_before_check check (before in ('accepted', 'in_flight', 'completed', 'uncertain')) not valid;
