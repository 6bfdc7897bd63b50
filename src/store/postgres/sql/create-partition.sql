-- one of {modulus} parts; ids are evenly spread
create table {schema}.{partition} partition of {schema}.key_record for values with (modulus {modulus}, remainder {remainder})
