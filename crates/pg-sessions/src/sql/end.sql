/* session end */
delete from :session
where flash_key = (select flash_key from :session where id = :id)
