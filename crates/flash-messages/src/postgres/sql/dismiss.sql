/* flash dismiss */
-- Deletes the dismissed messages of a session, and makes those that are asked back wait again.
with visitor as (
    select flash_key from :session where shard = :shard and id = :id and expiry_date > now()
),
asked_back as (
    update :flash m
    set leased_until = null,
        expires_at = case
            when m.leased_until = 'infinity' then now() + :expiry * interval '1 second'
            else m.expires_at
        end
    from visitor v
    where m.shard = :shard and m.flash_key = v.flash_key and m.id = any(:asked_back) and m.id <> all(:dismissed)
        and m.leased_until is not null
)
delete from :flash m using visitor v
where m.shard = :shard and m.flash_key = v.flash_key and m.id = any(:dismissed)
