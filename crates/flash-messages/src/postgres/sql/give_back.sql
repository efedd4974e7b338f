/* flash give back */
-- Makes leased messages wait again, if no other page has leased them since.
update :flash m
set leased_until = null, takes = greatest(m.takes - 1, 0)
from unnest(:ids::int8[], :until::timestamptz[]) as given (id, leased_until)
where m.shard = :shard and m.flash_key = :key and m.id = given.id and m.leased_until = given.leased_until
