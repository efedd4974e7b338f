/* session load */
select s.data, s.expiry_date, s.flash_key, :is_due as due
from :session s
where s.id = :id and s.expiry_date > now()
