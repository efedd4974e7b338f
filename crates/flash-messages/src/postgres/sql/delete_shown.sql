/* flash delete shown */
-- Deletes messages that pages have shown, or marks them if a form may ask them back.
with shown as (
    select flash_key, id, leased_until, undoable
    from unnest(:keys::uuid[], :ids::int8[], :until::timestamptz[], :undoable::bool[])
        as s (flash_key, id, leased_until, undoable)
\if :local_settings
    where set_config('synchronous_commit', 'off', true) is not null
\endif
),
undoable as (
    -- A form without JavaScript can ask these messages back for 3 minutes.
    update :flash m
    set leased_until = 'infinity', expires_at = least(m.expires_at, now() + interval '3 minutes')
    from shown s
    where s.undoable and m.shard = :shard and m.flash_key = s.flash_key and m.id = s.id
        and m.leased_until = s.leased_until
)
-- Compares the leases, so that a message stays if it was asked back meanwhile.
delete from :flash m using shown s
where not s.undoable and m.shard = :shard and m.flash_key = s.flash_key and m.id = s.id
    and m.leased_until = s.leased_until
