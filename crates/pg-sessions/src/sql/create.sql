/* session create */
-- Stores a new session. Affects no row if the id exists.
insert into :session (shard, id, data, expiry_date, flash_key, ends_at)
values (
    :shard, :id, :data, least(:expiry, now() + :idle::float8 * interval '1 second'), :flash_key,
    case when :idle is not null then :expiry end
)
on conflict do nothing
