/* session end */
-- Deletes all rows of a session: it may have several ids.
delete from :session
where shard = :shard
    and flash_key = (select flash_key from :session where shard = :shard and id = :id)
