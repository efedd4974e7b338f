/* flash delete shown */
with shown as (
    select flash_key, id, leased_until, undoable
    from unnest(:keys::uuid[], :ids::int8[], :until::timestamptz[], :undoable::bool[])
        as s (flash_key, id, leased_until, undoable)
    where set_config('synchronous_commit', 'off', true) is not null
),
undoable as (
    -- A form without JavaScript can ask them back.
    update :flash m
    set leased_until = 'infinity', expires_at = least(m.expires_at, now() + interval '3 minutes')
    from shown s
    where s.undoable and m.flash_key = s.flash_key and m.id = s.id
        and m.leased_until = s.leased_until
)
-- Only what is leased as it was: a message that was asked back meanwhile is not gone.
delete from :flash m using shown s
where not s.undoable and m.flash_key = s.flash_key and m.id = s.id
    and m.leased_until = s.leased_until
