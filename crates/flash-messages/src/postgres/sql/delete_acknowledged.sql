/* flash acknowledge */
-- Deletes messages that browsers have noted as shown.
delete from :flash m
using unnest(:sessions::text[], :scopes::text[], :ids::int8[]) as noted (session, scope, id),
    :session s
where m.shard = :shard and s.shard = :shard and s.id = noted.session and s.expiry_date > now()
    and left(s.flash_key::text, 8) = noted.scope
    and m.flash_key = s.flash_key and m.id = noted.id and not m.sticky
