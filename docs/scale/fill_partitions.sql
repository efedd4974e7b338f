-- Moves all rows into the partitions: psql -v shards=16 -f fill_partitions.sql. The shard is the last byte
-- of a session's key, modulo their number.
\set ON_ERROR_STOP on
begin;
insert into tower_sessions.session (id, data, expiry_date, flash_key, ends_at, renewed, shard)
select id, data, expiry_date, flash_key, ends_at, renewed,
    get_byte(uuid_send(flash_key), 15) % :shards
from tower_sessions.session_before;

insert into flash_message (
    flash_key, id, level, rank, text, title, link_href, link_text, key, sticky, auto_dismiss,
    expires_at, leased_until, takes, nonce, shard
)
select flash_key, id, level, rank, text, title, link_href, link_text, key, sticky, auto_dismiss,
    expires_at, leased_until, takes, nonce, get_byte(uuid_send(flash_key), 15) % :shards
from flash_message_before;

-- New messages get higher ids than those that were there.
select setval(
    pg_get_serial_sequence('flash_message', 'id'),
    (select last_value from flash_message_before_id_seq)
);

drop table tower_sessions.session_before, flash_message_before;
commit;
