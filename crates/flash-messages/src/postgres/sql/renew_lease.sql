/* flash renew lease */
-- Makes leases begin again, if no other page has leased the messages since.
update :flash m
set leased_until = now() + :lease * interval '1 second'
from unnest(:ids::int8[], :until::timestamptz[]) as held (id, leased_until)
where m.shard = :shard and m.flash_key = :key and m.id = held.id and m.leased_until = held.leased_until
returning m.id, m.leased_until
