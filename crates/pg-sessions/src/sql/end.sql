/* session end */
-- Deletes all rows of a session: it may have several ids.
delete from :session
where flash_key = (select flash_key from :session where id = :id)
