/* flash delete expired */
-- Deletes up to 1,000 expired messages.
delete from :flash
where shard = :shard and (flash_key, id) in (
    select flash_key, id from :flash
    where shard = :shard and expires_at < now()
    limit 1000 for update skip locked
)
