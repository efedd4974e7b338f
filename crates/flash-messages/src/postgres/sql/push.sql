/* flash push */
-- Stores the messages of many pushes.
with pushed as (
    -- A message has a key, or the id of a session that may have ended.
    select p.position, p.level, p.rank, p.text, p.title, p.link_href, p.link_text, p.key, p.sticky,
        p.auto_dismiss, p.leased, p.nonce, coalesce(p.own_key, s.flash_key) as flash_key, s.needs_touch
    from unnest(
        :sessions::text[], :own_keys::uuid[], :levels::text[], :ranks::int2[], :texts::text[],
        :titles::text[], :link_hrefs::text[], :link_texts::text[], :keys::text[],
        :sticky::bool[], :auto_dismiss::bool[], :leased::bool[], :nonces::int8[]
    ) with ordinality as p (
        session, own_key, level, rank, text, title, link_href, link_text, key, sticky,
        auto_dismiss, leased, nonce, position
    )
    left join lateral (
        select s.flash_key, :needs_touch as needs_touch
        from :session s
        where s.shard = :shard and s.id = p.session and s.expiry_date > now() limit 1
    ) s on true
),
\if :again
done as (
    -- The first attempt has stored these messages, but its answer was lost.
    select p.position, p.nonce, m.flash_key, m.id, m.leased_until
    from pushed p join :flash m
        on m.shard = :shard and m.flash_key = p.flash_key and m.nonce = p.nonce
),
\endif
new as (
    select position, level, rank, text, title, link_href, link_text, key, sticky, auto_dismiss,
        leased, nonce, flash_key
    from pushed where flash_key is not null
\if :again
        and position not in (select position from done)
\endif
),
waiting as (
    select m.flash_key, m.id, m.rank, new.position, new.rank as pushed_rank
    from new cross join lateral (
        select flash_key, id, rank from :flash
        where shard = :shard and flash_key = new.flash_key and expires_at > now()
            and (leased_until is null or leased_until < now())
            and (new.key is null or key is distinct from new.key)
        offset 0
    ) m
),
surplus as (
    select position, count(*) - :max_waiting::int8 + 1 as number
    from waiting group by position having count(*) >= :max_waiting::int8
),
leaving as (
    -- The oldest messages of the lowest level are deleted, if their level is not higher. Rows are
    -- locked in the order of their keys, so that two such statements don't wait for each other.
    select flash_key, id, position from (
        select w.flash_key, w.id, w.position, surplus.number,
            row_number() over (partition by position order by w.rank, w.id) as nth,
            count(*) over (partition by position) as lesser
        from waiting w join surplus using (position) where w.rank <= w.pushed_rank
    ) w
    where nth <= number and number <= lesser
    order by flash_key, id
),
gone as (
    delete from :flash m using leaving l
    where m.shard = :shard and m.flash_key = l.flash_key and m.id = l.id
),
stored as (
    insert into :flash (
        shard, flash_key, level, rank, text, title, link_href, link_text, key, sticky, auto_dismiss,
        expires_at, leased_until, nonce
    )
    select :shard, flash_key, level, rank, text, title, link_href, link_text, key, sticky, auto_dismiss,
        now() + :expiry * interval '1 second',
        case when leased then now() + :lease * interval '1 second' end, nonce
    from new
    where coalesce((select number from surplus where surplus.position = new.position), 0)
        = (select count(*) from leaving where leaving.position = new.position)
    -- Another statement that replaces the same rows locks them in the same order.
    order by flash_key, key nulls first, position
    -- A message replaces the one with its key. It gets a new id and a new expiry.
    on conflict (:unique_key) where key is not null do update set
        id = excluded.id, level = excluded.level, rank = excluded.rank, text = excluded.text,
        title = excluded.title, link_href = excluded.link_href, link_text = excluded.link_text,
        sticky = excluded.sticky, auto_dismiss = excluded.auto_dismiss,
        expires_at = excluded.expires_at, leased_until = excluded.leased_until,
        nonce = excluded.nonce, takes = 0
    returning flash_key, nonce, id, leased_until
)
-- Returns a row for each message. Without a key, the session has ended. Without an id, too many wait.
select p.flash_key, coalesce(p.needs_touch, false) as needs_touch, s.id, s.leased_until
from pushed p left join (
    select flash_key, nonce, id, leased_until from stored
\if :again
    union all select flash_key, nonce, id, leased_until from done
\endif
) s on s.flash_key = p.flash_key and s.nonce = p.nonce
order by p.position
