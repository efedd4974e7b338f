/* session create */
-- Stores a new session. Affects no row if the id exists.
insert into :session (id, data, expiry_date, flash_key, ends_at)
values (
    :id, :data, least(:expiry, now() + make_interval(secs => :idle)), :flash_key,
    case when :idle::float8 is not null then :expiry end
)
on conflict (id) do nothing
