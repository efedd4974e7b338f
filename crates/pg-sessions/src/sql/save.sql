/* session save */
-- Replaces the data of a session.
update :session
set data = :data,
    expiry_date = least(ends_at, :expiry, now() + :idle::float8 * interval '1 second'),
    ends_at = least(ends_at, case when :idle is not null then :expiry end),
    flash_key = coalesce(:flash_key, flash_key)
-- Updates nothing if the session has another id by now, or if another request has changed it.
where shard = :shard and id = :id and not renewed and (:expected::bytea is null or data = :expected)
