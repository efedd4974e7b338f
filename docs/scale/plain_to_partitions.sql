-- Puts the plain tables aside. The schema of the new layout is created after this, then
-- fill_partitions.sql is run.
\set ON_ERROR_STOP on
begin;
alter table tower_sessions.session rename to session_before;
alter table flash_message rename to flash_message_before;
-- The new tables need these names.
alter index tower_sessions.session_pkey rename to session_before_pkey;
alter index tower_sessions.session_expiry_date_idx rename to session_before_expiry_date_idx;
alter index tower_sessions.session_flash_key_idx rename to session_before_flash_key_idx;
alter index flash_message_pkey rename to flash_message_before_pkey;
alter index flash_message_key_idx rename to flash_message_before_key_idx;
alter index flash_message_expires_at_idx rename to flash_message_before_expires_at_idx;
alter sequence flash_message_id_seq rename to flash_message_before_id_seq;
commit;
