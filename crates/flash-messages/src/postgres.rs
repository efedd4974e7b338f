//! The store in PostgreSQL: its settings, its table, and which statement does what.

mod sql;

mod batch;

mod rows;

mod push;

mod take;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use pg_sessions::{
    PostgresSessionStore, SessionKey, Sessions, purge::delete_in_batches, schema::Table,
};
use tower_sessions::{ExpiredDeletion, session::Id};
use uuid::Uuid;

use self::{
    batch::Batcher,
    push::{NewMessage, PushOutcome, PushQuery},
    rows::Rows,
    sql::Sql,
    take::{Page, TakeQuery},
};
use crate::{
    error::FlashError,
    lease::Shown,
    level::Level,
    message::FlashMessage,
    store::{Acknowledged, Limits, MessageStore, Note, Owner, Stored, Taken},
};

/// The table of the flash messages in PostgreSQL.
///
/// The table is an ordinary, logged one: an `UNLOGGED` table is emptied when PostgreSQL crashes,
/// and a push that was acknowledged must survive that.
///
/// ```no_run
/// use flash_messages::{FlashStore, Level, PostgresSessionStore};
///
/// # async fn example(pool: sqlx::PgPool) -> Result<(), flash_messages::FlashError> {
/// let sessions = PostgresSessionStore::new(pool);
/// let store = FlashStore::new(sessions).with_min_level(Level::Info).with_max_waiting(100);
/// store.migrate().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FlashStore(Arc<Shared>);

/// Behind one pointer: every request copies it some times.
#[derive(Clone, Debug)]
struct Shared {
    rows: Arc<Rows>,
    table: Table,
    sessions: PostgresSessionStore,
    pushes: Batcher<PushQuery>,
    takes: Batcher<TakeQuery>,
}

impl FlashStore {
    /// A store in the database of these sessions, with the defaults: table `public.flash_message`,
    /// every level, 2 KiB a message, 50 waiting messages a session, a lease of 15 seconds, unseen
    /// messages kept for a day. It shares the connections of the sessions.
    pub fn new(sessions: PostgresSessionStore) -> Self {
        let table = Table::new("public", "flash_message");
        Self(Arc::new(Shared {
            rows: Arc::new(Rows {
                database: sessions.database().clone(),
                idle: sessions.idle_seconds(),
                limits: Limits::default(),
                sql: Arc::new(Sql::new(&table, sessions.table())),
            }),
            table,
            sessions,
            pushes: Batcher::default(),
            takes: Batcher::default(),
        }))
    }

    /// Where the messages are: schema `public`, table `flash_message` by default. Both are created
    /// by [`migrate`](Self::migrate). Names are quoted, so any is allowed.
    pub fn with_table(mut self, schema: &str, table: &str) -> Self {
        let shared = Arc::make_mut(&mut self.0);
        shared.table = Table::new(schema, table);
        let sql = Sql::new(&shared.table, shared.sessions.table());
        Arc::make_mut(&mut shared.rows).sql = Arc::new(sql);
        self
    }

    /// Pushes below this level are dropped without an error. Default: none is.
    pub fn with_min_level(mut self, level: Level) -> Self {
        self.limits_mut().min_level = Some(level);
        self
    }

    /// The longest message in bytes: text, title, link and key together. Default: 2048.
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.limits_mut().max_bytes = bytes;
        self
    }

    /// How many messages of one session may wait. Default: 50. One more, and the oldest of the
    /// lowest level gives way. Concurrent pushes can exceed it by their number.
    pub fn with_max_waiting(mut self, messages: u32) -> Self {
        self.limits_mut().max_waiting = messages;
        self
    }

    /// How long a page may take from its request to its last byte, and how long a message stays away
    /// after a process was killed between the two. Default: 15 seconds. Make it longer than the limit
    /// of a request.
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.limits_mut().lease = lease;
        self
    }

    /// How long a message waits to be seen. Default: 1 day.
    pub fn with_expiry(mut self, expiry: Duration) -> Self {
        self.limits_mut().expiry = expiry;
        self
    }

    fn limits_mut(&mut self) -> &mut Limits {
        &mut Arc::make_mut(&mut Arc::make_mut(&mut self.0).rows).limits
    }

    /// The SQL of the tables of sessions and messages, for a database in which the app may not create
    /// tables. Run it as a role that may. It is safe to run again.
    pub fn schema(&self) -> String {
        self.0.sessions.schema() + &sql::schema(&self.0.table).sql()
    }

    /// Creates the tables of sessions and messages when they are missing. Safe when many instances start at
    /// once: they take turns. In a database that has it all nothing is written or locked.
    ///
    /// # Errors
    /// The database can't be reached, a lock was not to be had within 2 seconds, or its user may not
    /// create what is missing: see [`schema`](Self::schema).
    pub async fn migrate(&self) -> Result<(), FlashError> {
        self.0.sessions.migrate().await?;
        let schema = sql::schema(&self.0.table);
        Ok(schema.migrate(&self.0.rows.database).await?)
    }

    /// Pushes a message without a request, from a job say. Pushes at the same time share statements,
    /// with those of requests too. Returns the message's id; none below the minimum level.
    ///
    /// # Errors
    /// As [`Flash::push`](crate::Flash::push).
    pub async fn push(
        &self,
        key: SessionKey,
        message: FlashMessage,
    ) -> Result<Option<i64>, FlashError> {
        if !self.limits().accept(&message)? {
            return Ok(None);
        }
        let stored = self.store(Owner::Key(key), &message, false).await?;
        Ok(stored.map(|stored| stored.id))
    }
}

#[async_trait]
impl MessageStore for FlashStore {
    fn sessions(&self) -> Arc<dyn Sessions> {
        Arc::new(self.0.sessions.clone())
    }

    fn limits(&self) -> &Limits {
        &self.0.rows.limits
    }

    async fn store(
        &self,
        owner: Owner,
        message: &FlashMessage,
        leased: bool,
    ) -> Result<Option<Stored>, FlashError> {
        let Shared { rows, pushes, .. } = &*self.0;
        let nonce = Uuid::new_v4().as_u64_pair().0.cast_signed();
        let message = NewMessage {
            owner,
            message: message.clone(),
            leased,
            nonce,
        };
        let query = PushQuery(rows.clone());
        match pushes.ask(&query, &rows.database, message).await? {
            PushOutcome::Stored(stored) => Ok(Some(stored)),
            PushOutcome::NoSession => Ok(None),
            PushOutcome::Full => {
                let limit = rows.limits.max_waiting;
                Err(FlashError::Full { limit })
            }
        }
    }

    async fn take(&self, session: Id, notes: Vec<Note>) -> Result<Taken, FlashError> {
        let Shared { rows, takes, .. } = &*self.0;
        let page = Page { session, notes };
        Ok((takes.ask(&TakeQuery(rows.clone()), &rows.database, page)).await?)
    }

    async fn delete_shown(&self, shown: &[Shown]) -> Result<(), FlashError> {
        Ok(self.0.rows.delete_shown(shown).await?)
    }

    async fn delete_acknowledged(&self, messages: &[Acknowledged]) -> Result<(), FlashError> {
        Ok(self.0.rows.delete_acknowledged(messages).await?)
    }

    async fn dismiss(
        &self,
        session: Id,
        dismissed: &[i64],
        asked_back: &[i64],
    ) -> Result<(), FlashError> {
        Ok((self.0.rows.dismiss(session, dismissed, asked_back)).await?)
    }

    /// In batches of 1,000; 0 also when another instance is at it.
    async fn delete_expired(&self) -> Result<u64, FlashError> {
        let Rows { database, sql, .. } = &*self.0.rows;
        let messages = delete_in_batches(database, &sql.delete_expired).await?;
        let sessions = ExpiredDeletion::delete_expired(&self.0.sessions).await;
        sessions.map_err(tower_sessions::session::Error::from)?;
        Ok(messages)
    }
}
