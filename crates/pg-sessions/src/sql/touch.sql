/* session touch */
update :session s
set expiry_date = least(s.ends_at, now() + make_interval(secs => :idle))
from (
    -- Asked again of the row that is locked: it may have been renewed or touched meanwhile.
    select s.id from :session s
    where s.id = any(:ids) and s.expiry_date > now() and :needs_touch
    for update skip locked
) due
where s.id = due.id and set_config('synchronous_commit', 'off', true) is not null
