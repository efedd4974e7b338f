/* session delete expired */
-- Deletes up to 1,000 expired sessions.
delete from :session
where id in (
    select id from :session where expiry_date < now() limit 1000 for update skip locked
)
