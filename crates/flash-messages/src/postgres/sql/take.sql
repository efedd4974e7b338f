/* flash take */
-- Takes the messages for many page loads.
with asked as (
    -- The limit makes PostgreSQL look up each session by index.
    select s.flash_key, s.needs_touch, ids.position
    from unnest(:ids::text[]) with ordinality as ids (id, position)
    cross join lateral (
        select s.flash_key, :needs_touch as needs_touch
        from :session s
        where s.shard = :shard and s.id = ids.id and s.expiry_date > now() limit 1
    ) s
\if :local_settings
    -- A lease does not wait for the disk. After a crash of PostgreSQL, messages that pages were about
    -- to show are shown again.
    where set_config('synchronous_commit', 'off', true) is not null
\endif
),
\if :noted
noted as (
    -- The messages that the browser has noted as shown.
    select distinct asked.flash_key, n.id
    from unnest(:positions::int8[], :scopes::text[], :noted_ids::int8[]) as n (position, scope, id)
    join asked using (position)
    where left(asked.flash_key::text, 8) = n.scope
),
acknowledged as (
    delete from :flash m using noted n
    where m.shard = :shard and m.flash_key = n.flash_key and m.id = n.id and not m.sticky
),
\endif
waiting as (
    -- If two page loads run at once, the second one skips the rows that the first one leases.
    select m.flash_key, m.id, m.ran_out, sessions.position
    from (
        select flash_key, min(position) as position from asked group by flash_key
    ) sessions
    cross join lateral (
        select flash_key, id, leased_until is not null as ran_out from :flash
        where shard = :shard and flash_key = sessions.flash_key and not sticky and expires_at > now()
            and (leased_until is null or leased_until < now())
\if :noted
            and id <> all(array(
                select n.id from noted n where n.flash_key = sessions.flash_key
            ))
\endif
        order by id for update skip locked
    ) m
),
taken as (
    update :flash m
    set leased_until = now() + :lease * interval '1 second', takes = m.takes + 1
    from waiting w where m.shard = :shard and m.flash_key = w.flash_key and m.id = w.id
    returning w.position, w.ran_out, :message
),
sticky as (
    select asked.position, false as ran_out, :message
    from asked cross join lateral (
        select :message from :flash m
        where m.shard = :shard and m.flash_key = asked.flash_key and m.sticky and m.expires_at > now()
        offset 0
    ) m
)
-- Returns a row for each message, and a row without one for a session that needs a touch.
select asked.position, asked.needs_touch, m.ran_out, :message
from asked left join (
    select m.position, m.ran_out, :message from taken m
    union all select m.position, m.ran_out, :message from sticky m
) m using (position)
where asked.needs_touch or m.id is not null
order by m.id
