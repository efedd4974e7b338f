/* session renew */
-- Stores a session under a new id. Affects no row if it has ended or has another id.
with old as (
    -- Concurrent requests may still send the old id. It can read for 10 more seconds.
    update :session
    set renewed = true, expiry_date = least(expiry_date, now() + interval '10 seconds')
    where shard = :shard and id = :old_id and not renewed and expiry_date > now()
    returning shard
)
insert into :session (shard, id, data, expiry_date, flash_key, ends_at)
select shard, :id, :data, least(:expiry, now() + :idle::float8 * interval '1 second'), :flash_key,
    case when :idle is not null then :expiry end
from old
on conflict do nothing
