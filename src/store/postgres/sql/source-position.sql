-- $1 source
select position from {schema}.source_position where source = $1::text
