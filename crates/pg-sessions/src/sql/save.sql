/* session save */
-- Replaces the data of a session.
update :session
set data = :data,
    expiry_date = least(ends_at, :expiry, now() + make_interval(secs => :idle)),
    ends_at = least(ends_at, case when :idle::float8 is not null then :expiry end),
    flash_key = coalesce(:flash_key, flash_key)
-- Updates nothing if the session has another id by now, or if another request has changed it.
where id = :id and not renewed and (:expected::bytea is null or data = :expected)
