/* session touch */
-- Moves the idle ends of many sessions.
update :session s
set expiry_date = least(s.ends_at, now() + :idle * interval '1 second')
from (
    -- Checked again under the lock: another request may have renewed or touched the session.
    select s.id from :session s
    where s.shard = :shard and s.id = any(:ids) and s.expiry_date > now() and :needs_touch
    for update skip locked
) due
where s.shard = :shard and s.id = due.id
\if :local_settings
    and set_config('synchronous_commit', 'off', true) is not null
\endif
