//! Stored: pushed, taken (a lease), given back, deleted.

use std::{sync::Arc, time::Duration};

use sqlx::{PgConnection, Row, postgres::PgRow};
use time::OffsetDateTime;
use tower_sessions::session::Id;
use uuid::Uuid;

use crate::{
    FlashError, FlashMessage, Level, Link, PostgresSessionStore, Scope,
    coalesce::{Coalesced, Statement},
    database::{Database, describe},
    local::is_local,
    purge::delete_in_batches,
    request::Note,
    schema::Table,
    sql::{self, Sql},
    touch::Times,
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
    database: Database,
    table: Table,
    sessions: Table,
    min_level: Option<Level>,
    max_bytes: usize,
    max_waiting: u32,
    lease: Duration,
    expiry: Duration,
    sql: Sql,
    pushes: Coalesced<Push>,
    takes: Coalesced<Take>,
}

/// Names the messages of one session, for a push without a request, from a job say.
///
/// It outlives the session's id: it stays the same when the id is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FlashKey(pub(crate) Uuid);

impl FlashKey {
    /// Returns the fingerprint that the messages of the session carry.
    pub(crate) fn scope(self) -> Scope {
        Scope::new(self.0.as_fields().0)
    }
}

impl FlashStore {
    /// A store in the database of these sessions, with the defaults: table `public.flash_message`,
    /// every level, 2 KiB a message, 50 waiting messages a session, a lease of 15 seconds, unseen
    /// messages kept for a day. It shares the connections of the sessions.
    pub fn new(sessions: &PostgresSessionStore) -> Self {
        let table = Table::new("public", "flash_message");
        Self(Arc::new(Shared {
            database: sessions.database().clone(),
            sql: Sql::new(&table, sessions.table()),
            table,
            sessions: sessions.table().clone(),
            min_level: None,
            max_bytes: 2048,
            max_waiting: 50,
            lease: Duration::from_secs(15),
            expiry: Duration::from_secs(24 * 60 * 60),
            pushes: Coalesced::default(),
            takes: Coalesced::default(),
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

    /// How long a page may take from its request to its last byte, and how long a message stays away
    /// after a process was killed between the two. Default: 15 seconds. Make it longer than the limit
    /// of a request.
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.shared().lease = lease;
        self
    }

    /// How long a message waits to be seen. Default: 1 day.
    pub fn with_expiry(mut self, expiry: Duration) -> Self {
        self.shared().expiry = expiry;
        self
    }

    /// The SQL of the schema, for a database in which the app may not create tables. Whoever may
    /// runs it; it is safe to run again.
    pub fn schema(&self) -> String {
        sql::schema(&self.0.table).sql()
    }

    /// Creates the schema and the table when they are missing. Safe when many instances start at
    /// once: they take turns. In a database that has it all nothing is written or locked.
    ///
    /// # Errors
    /// The database can't be reached, a lock was not to be had within 2 seconds, or its user may not
    /// create what is missing: see [`schema`](Self::schema).
    pub async fn migrate(&self) -> Result<(), FlashError> {
        sql::schema(&self.0.table).migrate(&self.0.database).await?;
        Ok(())
    }

    /// Pushes a message without a request, from a job say. Pushes at the same time share statements,
    /// with those of requests too. Returns the message's id; none below the minimum level.
    ///
    /// # Errors
    /// As [`Flash::push`](crate::Flash::push).
    pub async fn push(
        &self,
        key: FlashKey,
        message: FlashMessage,
    ) -> Result<Option<i64>, FlashError> {
        if !self.accepts(&message)? {
            return Ok(None);
        }
        let stored = self.store(Owner::Key(key), &message, false).await?;
        Ok(stored.map(|(stored, _)| stored.id))
    }

    /// Stores a message that is [accepted](Self::accepts). Returns None when the session is gone.
    pub(crate) async fn store(
        &self,
        owner: Owner,
        message: &FlashMessage,
        leased: bool,
    ) -> Result<Option<(Stored, Option<Times>)>, FlashError> {
        let nonce = Uuid::new_v4().as_u64_pair().0.cast_signed();
        loop {
            let pushing = Pushing {
                owner,
                message: message.clone(),
                leased,
                nonce,
            };
            let push = Push(self.clone());
            match self.0.pushes.ask(&push, &self.0.database, pushing).await? {
                Pushed::Stored(stored, times) => return Ok(Some((stored, times))),
                Pushed::NoSession => return Ok(None),
                Pushed::Full => {
                    let limit = self.0.max_waiting;
                    return Err(FlashError::Full { limit });
                }
                Pushed::Later => {}
            }
        }
    }

    /// Leases what waits in a session.
    pub(crate) async fn take(
        &self,
        session: Id,
        notes: Vec<Note>,
    ) -> Result<Taken, Arc<sqlx::Error>> {
        let taking = Taking { session, notes };
        (self
            .0
            .takes
            .ask(&Take(self.clone()), &self.0.database, taking))
        .await
    }

    /// Deletes what expired unseen, in batches of 1,000. Returns how many; 0 also when another
    /// instance is at it. [`purge_every`](crate::purge_every) does it again and again.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn delete_expired(&self) -> Result<u64, FlashError> {
        Ok(delete_in_batches(&self.0.database, &self.0.sql.delete_expired).await?)
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

    /// Makes leased messages wait again, ids and order unchanged. Those that another page has
    /// leased since are left alone.
    async fn give_back(&self, key: FlashKey, rows: &[Leased]) -> sqlx::Result<()> {
        let (ids, until) = ids_and_ends(rows);
        let give_back = || {
            sqlx::query(&self.0.sql.give_back)
                .bind(key.0)
                .bind(&ids)
                .bind(&until)
        };
        self.0.database.run(give_back).await?;
        Ok(())
    }

    /// Makes leases begin again. Returns those that nobody else has taken meanwhile.
    async fn renew_lease(&self, key: FlashKey, rows: &[Leased]) -> sqlx::Result<Vec<Leased>> {
        let (ids, until) = ids_and_ends(rows);
        let renew = || {
            sqlx::query(&self.0.sql.renew_lease)
                .bind(key.0)
                .bind(&ids)
                .bind(&until)
                .bind(self.0.lease.as_secs_f64())
        };
        let renewed = self.0.database.run(renew).await?.rows;
        (renewed.iter())
            .map(|row| {
                let id = row.try_get("id")?;
                let takes = rows
                    .iter()
                    .find(|row| row.id == id)
                    .map_or(1, |row| row.takes);
                let until = row.try_get("leased_until")?;
                Ok(Leased { id, until, takes })
            })
            .collect()
    }

    /// Deletes messages that have been shown; marks those that may be asked back.
    pub(crate) async fn delete_shown(&self, shown: &[Shown]) -> sqlx::Result<()> {
        let all = |value: fn(&Shown) -> i64| shown.iter().map(value).collect::<Vec<_>>();
        let keys: Vec<_> = shown.iter().map(|shown| shown.key.0).collect();
        let ids = all(|shown| shown.id);
        let until: Vec<_> = shown.iter().map(|shown| shown.until).collect();
        let undoable: Vec<_> = shown.iter().map(|shown| shown.undoable).collect();
        let delete = || {
            sqlx::query(&self.0.sql.shown)
                .bind(&keys)
                .bind(&ids)
                .bind(&until)
                .bind(&undoable)
        };
        self.0.database.run(delete).await?;
        Ok(())
    }

    /// Deletes messages that the browser has shown, as it says with a call.
    pub(crate) async fn delete_acknowledged(&self, messages: &[Acknowledged]) -> sqlx::Result<()> {
        let sessions: Vec<_> = messages
            .iter()
            .map(|noted| noted.session.to_string())
            .collect();
        let scopes: Vec<_> = messages.iter().map(|noted| &*noted.scope).collect();
        let ids: Vec<_> = messages.iter().map(|noted| noted.id).collect();
        let delete = || {
            sqlx::query(&self.0.sql.acknowledge)
                .bind(&sessions)
                .bind(&scopes)
                .bind(&ids)
        };
        self.0.database.run(delete).await?;
        Ok(())
    }

    /// Deletes messages of a session, and makes others wait again that a page has shown.
    pub(crate) async fn dismiss(
        &self,
        session: Id,
        dismissed: &[i64],
        asked_back: &[i64],
    ) -> sqlx::Result<()> {
        let session = session.to_string();
        let dismiss = || {
            sqlx::query(&self.0.sql.dismiss)
                .bind(&session)
                .bind(dismissed)
                .bind(asked_back)
                .bind(self.0.expiry.as_secs_f64())
        };
        self.0.database.run(dismiss).await?;
        Ok(())
    }

    /// The table of the sessions that it was made with.
    pub(crate) fn sessions(&self) -> &Table {
        &self.0.sessions
    }

    pub(crate) fn lease(&self) -> Duration {
        self.0.lease
    }

    fn shared(&mut self) -> &mut Shared {
        Arc::make_mut(&mut self.0)
    }
}

fn ids_and_ends(rows: &[Leased]) -> (Vec<i64>, Vec<OffsetDateTime>) {
    rows.iter().map(|row| (row.id, row.until)).unzip()
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
    /// When the session ends, unless it is gone.
    pub times: Option<Times>,
}

/// A message that no other request can take for now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leased {
    pub id: i64,
    pub until: OffsetDateTime,
    /// How many pages have taken it, this one included.
    pub takes: i16,
}

/// A message that a page has shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    key: FlashKey,
    id: i64,
    until: OffsetDateTime,
    undoable: bool,
}

/// A message that the browser has shown, as it says with a call.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    pub session: Id,
    pub scope: String,
    pub id: i64,
}

/// Messages that no other request can take for now. Dropped, it gives them back.
#[derive(Debug)]
pub(crate) struct Lease {
    store: FlashStore,
    key: Option<FlashKey>,
    rows: Vec<Leased>,
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

    pub fn scope(&self) -> Option<Scope> {
        self.key.map(FlashKey::scope)
    }

    pub fn holds(&self, id: i64) -> bool {
        self.rows.iter().any(|row| row.id == id)
    }

    pub fn add(&mut self, key: FlashKey, row: Leased) {
        self.key = Some(key);
        self.rows.push(row);
    }

    /// The page was handed over. Returns what to delete.
    ///
    /// Where the browser `acknowledges`, what it shows for the first time is left to its note: the
    /// lease runs on, and a message that never arrived is shown again after that. The second time the
    /// hand-over counts: a browser may have stopped to run scripts.
    pub fn delivered(mut self, undoable: bool, acknowledges: bool) -> Vec<Shown> {
        let rows = std::mem::take(&mut self.rows);
        let Some(key) = self.key else {
            return Vec::new();
        };
        (rows.into_iter())
            .filter(|row| !acknowledges || row.takes > 1)
            .map(|Leased { id, until, takes }| Shown {
                key,
                id,
                until,
                // One that was asked back is shown for the second time at least.
                undoable: undoable || takes > 1,
            })
            .collect()
    }

    /// The browser says with a later request that it has them: the lease runs on until then.
    pub fn leave_to_client(mut self) {
        self.rows.clear();
    }

    /// Splits off the rows that `keep` refuses.
    pub fn split(&mut self, keep: impl Fn(i64) -> bool) -> Lease {
        let (kept, split) = (self.rows.drain(..)).partition(|row| keep(row.id));
        self.rows = kept;
        Lease {
            store: self.store.clone(),
            key: self.key,
            rows: split,
        }
    }

    /// Makes the lease begin again, after a request that took long. Rows that another page has taken
    /// meanwhile are not held any more.
    pub async fn renew(&mut self) -> sqlx::Result<()> {
        if let (Some(key), false) = (self.key, self.rows.is_empty()) {
            self.rows = self.store.renew_lease(key, &self.rows).await?;
        }
        Ok(())
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
                tracing::warn!(
                    error = describe(&error),
                    "{} flash messages wait until their lease runs out",
                    rows.len()
                );
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
    /// Tells the message when it may be there already.
    pub nonce: i64,
}

pub(crate) enum Pushed {
    /// Where the session was asked for, also when it ends.
    Stored(Stored, Option<Times>),
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
        again: bool,
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
        let nonces: Vec<_> = pushing.iter().map(|one| one.nonce).collect();
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
            .bind(nonces)
            .bind(again)
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
                let stored = Stored {
                    key: FlashKey(key),
                    id,
                    leased_until: row.try_get("leased_until")?,
                };
                // A push by key has not asked for the session.
                Ok(Pushed::Stored(stored, Times::of(row).ok()))
            })
            .collect()
    }
}

/// Leases what waits in sessions and reads what is sticky.
#[derive(Clone, Debug)]
pub(crate) struct Take(pub FlashStore);

pub(crate) struct Taking {
    pub session: Id,
    /// What the browser says it has shown.
    pub notes: Vec<Note>,
}

impl Statement for Take {
    type Question = Taking;
    type Answer = Taken;

    async fn run(
        &self,
        connection: &mut PgConnection,
        taking: &[Taking],
        _: bool,
    ) -> sqlx::Result<Vec<Taken>> {
        let store = &self.0;
        let ids: Vec<_> = taking.iter().map(|one| one.session.to_string()).collect();
        // Places are counted from 1, as `with ordinality` does.
        let noted = || {
            (1_i64..).zip(taking).flat_map(|(place, one)| {
                (one.notes.iter())
                    .flat_map(move |note| note.ids().map(move |id| (place, &*note.scope, id)))
            })
        };
        let places: Vec<_> = noted().map(|(place, _, _)| place).collect();
        let scopes: Vec<_> = noted().map(|(_, scope, _)| scope).collect();
        let noted: Vec<_> = noted().map(|(_, _, id)| id).collect();
        let rows = sqlx::query(&store.0.sql.take)
            .bind(ids)
            .bind(store.0.lease.as_secs_f64())
            .bind(places)
            .bind(scopes)
            .bind(noted)
            .fetch_all(connection)
            .await?;
        let none = || Taken {
            messages: Vec::new(),
            lease: Lease::none(store),
            times: None,
        };
        let mut all: Vec<_> = taking.iter().map(|_| none()).collect();
        for row in &rows {
            let place: i64 = row.try_get("place")?;
            let Some(taken) = all.get_mut(place as usize - 1) else {
                continue;
            };
            taken.times = Some(Times::of(row)?);
            let Some(key) = row.try_get::<Option<Uuid>, _>("flash_key")?.map(FlashKey) else {
                continue;
            };
            let id: i64 = row.try_get("id")?;
            let message = match message_of(row) {
                Ok(message) => FlashMessage {
                    scope: key.scope(),
                    ..message
                },
                Err(error) => {
                    // It leaves, so that it doesn't come up again with each page.
                    tracing::error!(
                        id,
                        error = describe(&error),
                        "a flash message can't be read"
                    );
                    delete_unreadable(store, taking[place as usize - 1].session, id);
                    continue;
                }
            };
            if !message.sticky {
                let leased = Leased {
                    id,
                    until: row.try_get("leased_until")?,
                    takes: row.try_get("takes")?,
                };
                taken.lease.add(key, leased);
                if row.try_get("ran_out")? {
                    metrics::counter!("flash_leases_run_out_total").increment(1);
                }
            }
            taken.messages.push(message);
        }
        Ok(all)
    }
}

fn delete_unreadable(store: &FlashStore, session: Id, id: i64) {
    let store = store.clone();
    tokio::spawn(async move {
        if let Err(error) = store.dismiss(session, &[id], &[]).await {
            tracing::warn!(id, error = describe(&error), "the message stays for now");
        }
    });
}

fn message_of(row: &PgRow) -> sqlx::Result<FlashMessage> {
    let link = |href: Option<String>, text: Option<String>| {
        let (href, text) = (href?, text?);
        Some(Link { href, text })
    };
    let level: String = row.try_get("level")?;
    let level = (level.parse::<Level>()).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let mut message = FlashMessage::new(level, row.try_get::<String, _>("text")?);
    message.id = row.try_get("id")?;
    message.title = row.try_get("title")?;
    message.link = link(row.try_get("link_href")?, row.try_get("link_text")?);
    message.key = row.try_get("key")?;
    message.sticky = row.try_get("sticky")?;
    message.auto_dismiss = row.try_get("auto_dismiss")?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> FlashStore {
        let pool =
            sqlx::PgPool::connect_lazy("postgres://localhost/none").expect("a valid address");
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
