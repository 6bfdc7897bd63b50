-- what is missing, one row each
select t || ' ' || p
  from unnest(array['key_record', 'unsettled', 'outbox_event', 'relay_lease', 'source_position', 'shadow_key', 'audit', 'outbox_audit', 'installation']) as a (t),
       unnest(array['select', 'insert', 'update', 'delete']) as b (p)
 where not has_table_privilege('{schema}.' || t, p)
   and not (t in ('audit', 'outbox_audit') and p in ('update', 'delete'))
   and not (t in ('relay_lease', 'source_position') and p = 'delete')
   and not (t = 'installation' and p in ('insert', 'delete'))
 order by 1
