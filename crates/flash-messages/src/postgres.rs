//! The message store in PostgreSQL.

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
    take::{PageLoad, TakeQuery},
};
use crate::{
    error::FlashError,
    lease::Shown,
    level::Level,
    message::FlashMessage,
    store::{Acknowledged, Limits, MessageStore, Note, Owner, Stored, Taken},
};

/// Keeps flash messages in a table of PostgreSQL.
///
/// The table is not `UNLOGGED`: PostgreSQL empties such tables after a crash, and a stored message must
/// survive that.
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

/// It is behind one pointer, because every request clones it several times.
#[derive(Clone, Debug)]
struct Shared {
    rows: Arc<Rows>,
    table: Table,
    sessions: PostgresSessionStore,
    pushes: Batcher<PushQuery>,
    takes: Batcher<TakeQuery>,
}

impl FlashStore {
    /// Creates a store in the database of these sessions. It shares their connections. Defaults:
    ///
    /// | setting | default |
    /// |---|---|
    /// | [`with_table`](Self::with_table) | `public.flash_message` |
    /// | [`with_min_level`](Self::with_min_level) | every level |
    /// | [`with_max_bytes`](Self::with_max_bytes) | 2048 |
    /// | [`with_max_waiting`](Self::with_max_waiting) | 50 per session |
    /// | [`with_lease`](Self::with_lease) | 15 seconds |
    /// | [`with_expiry`](Self::with_expiry) | 1 day |
    pub fn new(sessions: PostgresSessionStore) -> Self {
        let table = Table::new("public", "flash_message");
        Self(Arc::new(Shared {
            rows: Arc::new(Rows {
                database: sessions.database().clone(),
                idle_seconds: sessions.idle_seconds(),
                limits: Limits::default(),
                sql: Arc::new(Sql::new(&table, sessions.table(), sessions.layout())),
                layout: sessions.layout(),
            }),
            table,
            sessions,
            pushes: Batcher::default(),
            takes: Batcher::default(),
        }))
    }

    /// Sets the schema and the table of the messages. Any name is allowed, because names are quoted.
    /// [`migrate`](Self::migrate) creates both. Default: `public`, `flash_message`.
    pub fn with_table(mut self, schema: &str, table: &str) -> Self {
        let shared = Arc::make_mut(&mut self.0);
        shared.table = Table::new(schema, table);
        let sql = Sql::new(
            &shared.table,
            shared.sessions.table(),
            shared.sessions.layout(),
        );
        Arc::make_mut(&mut shared.rows).sql = Arc::new(sql);
        self
    }

    /// Sets the minimum level. A push below it is dropped without an error. Default: every level is
    /// stored.
    pub fn with_min_level(mut self, level: Level) -> Self {
        self.limits_mut().min_level = Some(level);
        self
    }

    /// Sets the maximum bytes of text, title, link and key together. Default: 2048.
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.limits_mut().max_bytes = bytes;
        self
    }

    /// Sets the maximum number of waiting messages in a session. One more push deletes the oldest
    /// message of the lowest level. Concurrent pushes can exceed the maximum by their number. Default:
    /// 50.
    pub fn with_max_waiting(mut self, messages: u32) -> Self {
        self.limits_mut().max_waiting = messages;
        self
    }

    /// Sets the maximum time from the request of a page to its last byte. It should be longer than the
    /// app's time limit for requests. If a process is killed, its messages wait again after this time.
    /// Default: 15 seconds.
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.limits_mut().lease = lease;
        self
    }

    /// Sets the time after which an unseen message is deleted. Default: 1 day.
    pub fn with_expiry(mut self, expiry: Duration) -> Self {
        self.limits_mut().expiry = expiry;
        self
    }

    fn limits_mut(&mut self) -> &mut Limits {
        &mut Arc::make_mut(&mut Arc::make_mut(&mut self.0).rows).limits
    }

    /// Returns the SQL that creates the tables of sessions and messages. Run it as a role that may
    /// create tables if the app's role may not. It can run again.
    pub fn schema(&self) -> String {
        self.0.sessions.schema() + &sql::schema(&self.0.table, self.0.sessions.layout()).sql()
    }

    /// Creates the tables of sessions and messages if they are missing. Many instances may call it at
    /// once: they take turns. If nothing is missing, it only reads.
    ///
    /// # Errors
    /// - The database can't be reached.
    /// - A table stays locked for 2 seconds.
    /// - The database user may not create what is missing, see [`schema`](Self::schema).
    /// - The tables have another layout.
    pub async fn migrate(&self) -> Result<(), FlashError> {
        self.0.sessions.migrate().await?;
        let schema = sql::schema(&self.0.table, self.0.sessions.layout());
        Ok(schema.migrate(&self.0.rows.database).await?)
    }

    /// Pushes a message without a request, for example from a job. Concurrent pushes share a statement.
    /// Returns the message's id, or `None` if it is below the minimum level.
    ///
    /// ```no_run
    /// # use flash_messages::{FlashError, FlashMessage, FlashStore, SessionKey};
    /// # async fn job(store: FlashStore, key: SessionKey) -> Result<(), FlashError> {
    /// // A handler got the key from `Flash::key`.
    /// store.push(key, FlashMessage::info("Your results are in")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Flash::push`](crate::Flash::push).
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
        match pushes.run(&query, &rows.database, message).await? {
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
        let page = PageLoad { session, notes };
        Ok((takes.run(&TakeQuery(rows.clone()), &rows.database, page)).await?)
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

    /// Deletes up to 1,000 rows in a statement. Returns 0 if another instance deletes.
    async fn delete_expired(&self) -> Result<u64, FlashError> {
        let Rows {
            database,
            layout,
            sql,
            ..
        } = &*self.0.rows;
        let messages = delete_in_batches(database, *layout, &sql.delete_expired).await;
        let sessions = ExpiredDeletion::delete_expired(&self.0.sessions).await;
        sessions.map_err(tower_sessions::session::Error::from)?;
        Ok(messages?)
    }
}
