//! Stored: pushed, taken (a lease), given back, deleted.

use std::{sync::Arc, time::Duration};

use sqlx::{PgConnection, PgPool, Row, postgres::PgRow};
use time::OffsetDateTime;
use tower_sessions::session::Id;
use uuid::Uuid;

use crate::{
    FlashError, FlashMessage, InvalidLevel, Level, Link, PostgresSessionStore, coalesce::Statement,
    local::is_local, purge::delete_in_batches, session_store::Table, sql::Sql,
};

/// The table of the flash messages in PostgreSQL.
///
/// The table is an ordinary, logged one: an `UNLOGGED` table is emptied when PostgreSQL crashes,
/// and a push that was acknowledged must survive that.
///
/// ```no_run
/// use leptos_flash::{FlashStore, Level, PostgresSessionStore};
///
/// # async fn example(pool: sqlx::PgPool) -> Result<(), leptos_flash::FlashError> {
/// let sessions = PostgresSessionStore::new(pool);
/// sessions.migrate().await?;
/// let store = FlashStore::new(&sessions).with_min_level(Level::Info).with_max_waiting(100);
/// store.migrate().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FlashStore(Arc<Shared>);

/// Behind one pointer: every request copies it some times.
#[derive(Clone, Debug)]
struct Shared {
    pool: PgPool,
    table: Table,
    sessions: PostgresSessionStore,
    min_level: Option<Level>,
    max_bytes: usize,
    max_waiting: u32,
    lease: Duration,
    expiry: Duration,
    sql: Sql,
}

/// Names the messages of one session, for a push without a request, from a job say.
///
/// It outlives the session's id: it stays the same when the id is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FlashKey(pub(crate) Uuid);

impl FlashStore {
    /// A store in the database of these sessions, with the defaults: table `public.flash_message`,
    /// every level, 2 KiB a message, 50 waiting messages a session, a lease of 15 seconds, unseen
    /// messages kept for a day.
    ///
    /// It opens up to 6 connections of its own, with the options of the pool of `sessions`. For these
    /// alone PostgreSQL plans each statement once and goes by index: it would plan at each page load,
    /// and read a table to its end that was small when it looked last.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(sessions: &PostgresSessionStore) -> Self {
        let table = Table::new("public", "flash_message");
        Self(Arc::new(Shared {
            pool: own_connections(sessions.pool()),
            sql: Sql::new(&table, sessions),
            table,
            sessions: sessions.clone(),
            min_level: None,
            max_bytes: 2048,
            max_waiting: 50,
            lease: Duration::from_secs(15),
            expiry: Duration::from_secs(24 * 60 * 60),
        }))
    }

    /// Where the messages are: schema `public`, table `flash_message` by default. Both are created
    /// by [`migrate`](Self::migrate). Names are quoted, so any is allowed.
    pub fn with_table(mut self, schema: &str, table: &str) -> Self {
        let shared = self.shared();
        shared.table = Table::new(schema, table);
        shared.sql = Sql::new(&shared.table, &shared.sessions);
        self
    }

    /// Pushes below this level are dropped without an error. Default: none is.
    pub fn with_min_level(mut self, level: Level) -> Self {
        self.shared().min_level = Some(level);
        self
    }

    /// The longest message in bytes: text, title, link and key together. Default: 2048.
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.shared().max_bytes = bytes;
        self
    }

    /// How many messages of one session may wait. Default: 50. One more, and the oldest of the
    /// lowest level gives way. Concurrent pushes can exceed it by their number.
    pub fn with_max_waiting(mut self, messages: u32) -> Self {
        self.shared().max_waiting = messages;
        self
    }

    /// How long a page may take from its first byte to its last, and how long a message stays away
    /// after a process was killed between the two. Default: 15 seconds.
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.shared().lease = lease;
        self
    }

    /// How long a message waits to be seen. Default: 1 day.
    pub fn with_expiry(mut self, expiry: Duration) -> Self {
        self.shared().expiry = expiry;
        self
    }

    /// Creates the schema and the table when they are missing. Safe when many instances start at
    /// once: they take turns.
    ///
    /// # Errors
    /// The database can't be reached, or its user may not create tables.
    pub async fn migrate(&self) -> Result<(), FlashError> {
        self.0
            .table
            .create(&self.0.pool, &[&self.0.sql.create])
            .await?;
        Ok(())
    }

    /// Pushes a message without a request, from a job say.
    ///
    /// # Errors
    /// As [`Flash::push`](crate::Flash::push).
    pub async fn push(&self, key: FlashKey, message: FlashMessage) -> Result<(), FlashError> {
        if self.accepts(&message)? {
            let pushing = Pushing {
                owner: Owner::Key(key),
                message,
                leased: false,
            };
            let mut connection = self.0.pool.acquire().await?;
            let pushed = in_time(Push(self.clone()).run(&mut connection, &[pushing])).await?;
            if matches!(pushed[..], [Pushed::Full]) {
                return Err(self.full());
            }
        }
        Ok(())
    }

    /// Deletes what expired unseen, in batches of 1,000. Returns how many; 0 also when another
    /// instance is at it. [`purge_every`](crate::purge_every) does it again and again.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn delete_expired(&self) -> Result<u64, FlashError> {
        delete_in_batches(&self.0.pool, &self.0.sql.delete_expired).await
    }

    /// Whether to store the message: false below the minimum level.
    pub(crate) fn accepts(&self, message: &FlashMessage) -> Result<bool, FlashError> {
        let link = (message.link.as_ref()).map(|link| [&link.href, &link.text]);
        let parts = || {
            [
                Some(&message.text),
                message.title.as_ref(),
                message.key.as_ref(),
            ]
            .into_iter()
            .flatten()
            .chain(link.into_iter().flatten())
        };
        if message.text.trim().is_empty() {
            return Err(FlashError::EmptyText);
        }
        if parts().any(|part| part.contains('\0')) {
            return Err(FlashError::NulCharacter);
        }
        let bytes = parts().map(|part| part.len()).sum();
        if bytes > self.0.max_bytes {
            let limit = self.0.max_bytes;
            return Err(FlashError::TooLong { bytes, limit });
        }
        if message
            .link
            .as_ref()
            .is_some_and(|link| !is_local(&link.href))
        {
            return Err(FlashError::NotLocal);
        }
        Ok((self.0.min_level.as_ref()).is_none_or(|min| message.level.rank() >= min.rank()))
    }

    pub(crate) fn full(&self) -> FlashError {
        let limit = self.0.max_waiting;
        FlashError::Full { limit }
    }

    /// Makes leased messages wait again, ids and order unchanged. Those that another page has
    /// leased since are left alone.
    async fn give_back(&self, key: FlashKey, rows: &[(i64, OffsetDateTime)]) -> sqlx::Result<()> {
        let (ids, until): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
        let done = sqlx::query(&self.0.sql.give_back)
            .bind(key.0)
            .bind(ids)
            .bind(until)
            .execute(&self.0.pool);
        in_time(done).await?;
        Ok(())
    }

    /// Deletes messages that have been shown.
    pub(crate) async fn delete(&self, shown: &[(FlashKey, i64)]) -> sqlx::Result<()> {
        let (keys, ids): (Vec<_>, Vec<_>) = shown.iter().map(|(key, id)| (key.0, *id)).unzip();
        let done = sqlx::query(&self.0.sql.delete)
            .bind(keys)
            .bind(ids)
            .execute(&self.0.pool);
        in_time(done).await?;
        Ok(())
    }

    /// Deletes messages that the browser says it has shown, or dismissed.
    pub(crate) async fn delete_of_session(&self, session: Id, ids: &[i64]) -> sqlx::Result<()> {
        let done = sqlx::query(&self.0.sql.delete_of_session)
            .bind(session.to_string())
            .bind(ids)
            .execute(&self.0.pool);
        in_time(done).await?;
        Ok(())
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    fn shared(&mut self) -> &mut Shared {
        Arc::make_mut(&mut self.0)
    }
}

fn own_connections(pool: &PgPool) -> PgPool {
    let settings = [
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        // It doesn't mark index entries of deleted messages as dead, a plain index scan does.
        ("enable_bitmapscan", "off"),
    ];
    let own = (pool.options().clone())
        .min_connections(0)
        // Two each for pushes and takes, which may keep them under load, and two for all else.
        .max_connections(6)
        // A ping before each use would double the round trips.
        .test_before_acquire(false)
        .connect_lazy_with((*pool.connect_options()).clone().options(settings));
    let (closed, closing) = (pool.close_event(), own.clone());
    tokio::spawn(async move {
        closed.await;
        closing.close().await;
    });
    own
}

/// Gives a statement up after 4 seconds. PostgreSQL has a limit of its own, `statement_timeout`, but
/// one that hangs, or whose network is gone, doesn't keep it.
pub(crate) async fn in_time<T>(
    statement: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let limit = Duration::from_secs(4);
    let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    tokio::time::timeout(limit, statement).await.map_err(late)?
}

/// Whose message it is.
#[derive(Clone, Copy)]
pub(crate) enum Owner {
    /// The session that this id belongs to, when it is alive.
    Session(Id),
    Key(FlashKey),
}

pub(crate) struct Taken {
    pub messages: Vec<FlashMessage>,
    pub lease: Lease,
}

/// Messages that nobody else can take for now. Dropped, it gives them back.
pub(crate) struct Lease {
    store: FlashStore,
    key: Option<FlashKey>,
    rows: Vec<(i64, OffsetDateTime)>,
}

impl Lease {
    pub fn none(store: &FlashStore) -> Self {
        Self {
            store: store.clone(),
            key: None,
            rows: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn add(&mut self, key: FlashKey, id: i64, until: OffsetDateTime) {
        self.key = Some(key);
        self.rows.push((id, until));
    }

    /// The page was handed over: what to delete.
    pub fn delivered(mut self) -> Vec<(FlashKey, i64)> {
        let rows = std::mem::take(&mut self.rows);
        (rows.into_iter())
            .filter_map(|(id, _)| Some((self.key?, id)))
            .collect()
    }

    /// The client deletes them with its next request: the lease runs on until then.
    pub fn leave_to_client(mut self) {
        self.rows.clear();
    }

    /// Splits off the rows that `keep` refuses.
    pub fn split(&mut self, keep: impl Fn(i64) -> bool) -> Lease {
        let (kept, split) = (self.rows.drain(..)).partition(|(id, _)| keep(*id));
        self.rows = kept;
        Lease {
            store: self.store.clone(),
            key: self.key,
            rows: split,
        }
    }

    /// Nothing was shown: the messages wait again. In a task of its own, which a dropped request
    /// doesn't stop.
    pub async fn give_back(mut self) {
        if let Some(task) = self.spawn_give_back() {
            _ = task.await;
        }
    }

    fn spawn_give_back(&mut self) -> Option<tokio::task::JoinHandle<()>> {
        let (key, rows) = (self.key?, std::mem::take(&mut self.rows));
        if rows.is_empty() {
            return None;
        }
        metrics::counter!("flash_given_back_total").increment(rows.len() as u64);
        let store = self.store.clone();
        // Without a runtime the program is at its end, and the lease runs out.
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        Some(runtime.spawn(async move {
            if let Err(error) = store.give_back(key, &rows).await {
                tracing::warn!(%error, "{} flash messages wait until their lease runs out", rows.len());
            }
        }))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.spawn_give_back();
    }
}

/// Stores messages.
#[derive(Clone, Debug)]
pub(crate) struct Push(pub FlashStore);

pub(crate) struct Pushing {
    pub owner: Owner,
    pub message: FlashMessage,
    /// From the start: it travels with the response.
    pub leased: bool,
}

pub(crate) enum Pushed {
    Stored(Stored),
    /// All that wait are of a higher level.
    Full,
    NoSession,
    /// A statement stores one message of a session: ask again.
    Later,
}

pub(crate) struct Stored {
    pub key: FlashKey,
    pub id: i64,
    pub leased_until: Option<OffsetDateTime>,
}

impl Statement for Push {
    type Question = Pushing;
    type Answer = Pushed;

    async fn run(
        &self,
        connection: &mut PgConnection,
        pushing: &[Pushing],
    ) -> sqlx::Result<Vec<Pushed>> {
        fn all<'a, T>(pushing: &'a [Pushing], value: impl Fn(&'a FlashMessage) -> T) -> Vec<T> {
            pushing.iter().map(|one| value(&one.message)).collect()
        }
        let (sessions, keys): (Vec<_>, Vec<_>) = (pushing.iter())
            .map(|one| match one.owner {
                Owner::Session(id) => (Some(id.to_string()), None),
                Owner::Key(key) => (None, Some(key.0)),
            })
            .unzip();
        let leased: Vec<_> = pushing.iter().map(|one| one.leased).collect();
        let store = &self.0.0;
        let rows = sqlx::query(&store.sql.push)
            .bind(sessions)
            .bind(keys)
            .bind(all(pushing, |message| message.level.as_str()))
            .bind(all(pushing, |message| message.level.rank()))
            .bind(all(pushing, |message| &*message.text))
            .bind(all(pushing, |message| message.title.as_deref()))
            .bind(all(pushing, |message| Some(&*message.link.as_ref()?.href)))
            .bind(all(pushing, |message| Some(&*message.link.as_ref()?.text)))
            .bind(all(pushing, |message| message.key.as_deref()))
            .bind(all(pushing, |message| message.sticky))
            .bind(all(pushing, |message| message.auto_dismiss))
            .bind(leased)
            .bind(store.expiry.as_secs_f64())
            .bind(store.lease.as_secs_f64())
            .bind(i64::from(store.max_waiting))
            .fetch_all(connection)
            .await?;
        (rows.iter())
            .map(|row| {
                let Some(key) = row.try_get::<Option<Uuid>, _>("flash_key")? else {
                    return Ok(Pushed::NoSession);
                };
                if row.try_get("later")? {
                    return Ok(Pushed::Later);
                }
                let Some(id) = row.try_get("id")? else {
                    return Ok(Pushed::Full);
                };
                Ok(Pushed::Stored(Stored {
                    key: FlashKey(key),
                    id,
                    leased_until: row.try_get("leased_until")?,
                }))
            })
            .collect()
    }
}

/// Leases what waits in sessions and reads what is sticky.
#[derive(Clone, Debug)]
pub(crate) struct Take(pub FlashStore);

impl Statement for Take {
    type Question = Id;
    type Answer = Taken;

    async fn run(
        &self,
        connection: &mut PgConnection,
        sessions: &[Id],
    ) -> sqlx::Result<Vec<Taken>> {
        let ids: Vec<_> = sessions.iter().map(Id::to_string).collect();
        let rows = sqlx::query(&self.0.0.sql.take)
            .bind(ids)
            .bind(self.0.0.lease.as_secs_f64())
            .fetch_all(connection)
            .await?;
        let none = || Taken {
            messages: Vec::new(),
            lease: Lease::none(&self.0),
        };
        let mut all: Vec<_> = sessions.iter().map(|_| none()).collect();
        for row in &rows {
            // Counted from 1, as `with ordinality` does.
            let place: i64 = row.try_get("place")?;
            let Some(taken) = all.get_mut(place as usize - 1) else {
                continue;
            };
            let message = message_of(row)?;
            if !message.sticky {
                let key = FlashKey(row.try_get("flash_key")?);
                (taken.lease).add(key, message.id, row.try_get("leased_until")?);
                if row.try_get("ran_out")? {
                    metrics::counter!("flash_leases_run_out_total").increment(1);
                }
            }
            taken.messages.push(message);
        }
        Ok(all)
    }
}

fn message_of(row: &PgRow) -> sqlx::Result<FlashMessage> {
    let link = |href: Option<String>, text: Option<String>| {
        let (href, text) = (href?, text?);
        Some(Link { href, text })
    };
    Ok(FlashMessage {
        id: row.try_get("id")?,
        level: (row.try_get::<String, _>("level")?.parse())
            .map_err(|error: InvalidLevel| sqlx::Error::Decode(error.into()))?,
        text: row.try_get("text")?,
        title: row.try_get("title")?,
        link: link(row.try_get("link_href")?, row.try_get("link_text")?),
        key: row.try_get("key")?,
        sticky: row.try_get("sticky")?,
        auto_dismiss: row.try_get("auto_dismiss")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> FlashStore {
        let pool = PgPool::connect_lazy("postgres://localhost/none").expect("a valid address");
        FlashStore::new(&PostgresSessionStore::new(pool))
    }

    #[tokio::test]
    async fn what_can_not_be_shown_is_refused_with_its_reason() {
        let store = store().with_max_bytes(10);
        let refused = |message: FlashMessage| store.accepts(&message).expect_err("refused");
        assert!(matches!(
            refused(FlashMessage::info(" ")),
            FlashError::EmptyText
        ));
        assert!(matches!(
            refused(FlashMessage::info("a\0")),
            FlashError::NulCharacter
        ));
        assert!(matches!(
            refused(FlashMessage::info("0123456789").title("x")),
            FlashError::TooLong {
                bytes: 11,
                limit: 10
            }
        ));
        assert!(matches!(
            refused(FlashMessage::info("a").link("//b.c", "d")),
            FlashError::NotLocal
        ));
    }

    #[tokio::test]
    async fn messages_below_the_minimum_level_are_dropped() {
        let store = store().with_min_level(Level::Warning);
        assert!(!store.accepts(&FlashMessage::success("a")).expect("valid"));
        assert!(store.accepts(&FlashMessage::warning("a")).expect("valid"));
    }
}
