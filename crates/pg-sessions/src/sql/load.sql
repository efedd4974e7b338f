/* session load */
-- Reads a session that has not ended.
select s.data, s.expiry_date, s.flash_key, :needs_touch as needs_touch
from :session s
where s.shard = :shard and s.id = :id and s.expiry_date > now()
