/* session delete expired */
-- Deletes up to 1,000 expired sessions.
delete from :session
where shard = :shard and id in (
    select id from :session
    where shard = :shard and expiry_date < now()
    limit 1000 for update skip locked
)
