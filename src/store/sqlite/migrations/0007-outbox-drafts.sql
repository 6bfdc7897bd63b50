-- What a request gives to the events of its completion, as the claim had it (core/outbox-draft.ts). Not part of a row's checksum
-- where it is null, so that no row has to be written anew.
alter table key_record add column outbox text;
