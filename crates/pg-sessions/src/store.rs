//! Sessions in PostgreSQL: the table and format of tower-sessions-sqlx-store, safe under concurrency.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{PgPool, Row, postgres::PgRow};
use tower_sessions::{
    ExpiredDeletion, SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::{
    database::{Database, describe},
    expiry::{NEEDS_TOUCH, Touches},
    info::{decode, encode, stamp},
    key::SessionKey,
    purge::delete_in_batches,
    schema::{Schema, Table},
    sessions::{Sessions, StoredSession},
    statement::statement,
};

/// The sessions of tower-sessions-sqlx-store's `PostgresStore`: the same table and format, but
///
/// | `PostgresStore` | here |
/// |---|---|
/// | `create` is four statements, and takes up the id of a session that was flushed | one statement, always a new id |
/// | `save` inserts, so a request in flight undoes a logout | only updates |
/// | the last of two requests that save wins | changes of different keys both survive |
/// | a logout deletes one row | all ids of the session end |
/// | data that can't be read locks its owner out | counts as no session, and is logged |
/// | expired rows go in one statement | in batches |
/// | a session ends at a fixed time, or moves with each change | idle end and latest end, see [`with_idle_expiry`](Self::with_idle_expiry) |
///
/// [`SessionLayer`](crate::SessionLayer) lends its sessions to requests.
#[derive(Clone, Debug)]
pub struct PostgresSessionStore(Arc<Shared>);

#[derive(Clone, Debug)]
struct Shared {
    database: Database,
    table: Table,
    /// The name of the table.
    name: String,
    idle_expiry: Option<Duration>,
    touches: Touches,
    sql: Sql,
}

impl PostgresSessionStore {
    /// A store in schema `tower_sessions`, table `session`, as `PostgresStore`'s.
    ///
    /// It opens connections of its own when it is first used, with the options of this pool: as many
    /// as the pool may have, 6 at least.
    pub fn new(pool: PgPool) -> Self {
        let table = Table::sessions();
        Self(Arc::new(Shared {
            database: Database::new(pool),
            sql: Sql::new(&table),
            name: table.to_string(),
            table,
            idle_expiry: None,
            touches: Touches::default(),
        }))
    }

    /// Another schema and table. Names are quoted, so any is allowed.
    pub fn with_table(mut self, schema: &str, table: &str) -> Self {
        let shared = Arc::make_mut(&mut self.0);
        shared.table = Table::new(schema, table);
        shared.name = shared.table.to_string();
        shared.sql = Sql::new(&shared.table);
        self
    }

    /// Ends a session after so long without a page load, a call or a form. Default: never.
    ///
    /// The `Max-Age` of the session's cookie is then the age at which it ends in any case, counted
    /// from its birth. Requests move the idle end on, once a minute at most and many sessions in one
    /// statement; files, prefetches and `HEAD` don't.
    pub fn with_idle_expiry(mut self, idle: Duration) -> Self {
        Arc::make_mut(&mut self.0).idle_expiry = Some(idle);
        self
    }

    /// How many seconds a session may be idle, as the statements get it.
    pub fn idle(&self) -> Option<f64> {
        self.0.idle_expiry.map(|idle| idle.as_secs_f64())
    }

    /// The pool that it was made with.
    pub fn pool(&self) -> &PgPool {
        self.0.database.given()
    }

    /// The connections that it opens, for a table beside that of the sessions.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// The table of the sessions.
    pub fn table(&self) -> &Table {
        &self.0.table
    }

    /// The SQL of the schema, for a database in which the app may not create tables. Run it
    /// as a role that may. It is safe to run again.
    pub fn schema(&self) -> String {
        schema(&self.0.table).sql()
    }

    /// Creates the schema and the table when they are missing, and adds what this store needs to a
    /// table that `PostgresStore` made. Safe when many instances start at once: they take turns. In a
    /// database that has it all nothing is written or locked.
    ///
    /// # Errors
    /// The database can't be reached, a lock was not to be had within 2 seconds, or its user may not
    /// create what is missing: see [`schema`](Self::schema).
    pub async fn migrate(&self) -> sqlx::Result<()> {
        schema(&self.0.table).migrate(&self.0.database).await
    }

    /// Returns whether the database answers within 3 seconds and can be written: not a standby, and not a
    /// primary that has become one. For a readiness probe.
    pub async fn is_writable(&self) -> bool {
        let writable =
            || sqlx::query("select current_setting('transaction_read_only') = 'off' as writable");
        let answer = self.0.database.run(writable);
        let row = match tokio::time::timeout(Duration::from_secs(3), answer).await {
            Ok(Ok(answer)) => answer.rows.into_iter().next(),
            _ => None,
        };
        let is_writable = row.is_some_and(|row| row.try_get("writable").unwrap_or(false));
        if !is_writable {
            self.0.database.suspect();
        }
        is_writable
    }
}

#[async_trait]
impl Sessions for PostgresSessionStore {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn touch(&self, id: Id) {
        let Shared {
            touches,
            database,
            sql,
            ..
        } = &*self.0;
        touches.touch(id, self.idle(), database, &sql.touch);
    }

    async fn read(&self, id: &Id) -> Result<Option<StoredSession>> {
        let id = id.to_string();
        let select = || sqlx::query(&self.0.sql.load).bind(self.idle()).bind(&id);
        let answer = self.0.database.run(select).await.map_err(backend)?;
        let Some(row) = answer.rows.first() else {
            return Ok(None);
        };
        stored(row).map(Some).map_err(backend)
    }

    async fn insert(&self, record: &mut Record) -> Result<Vec<u8>> {
        let key = stamp(record, self.0.idle_expiry);
        loop {
            let data = new_id(record)?;
            let id = record.id.to_string();
            let insert = || {
                sqlx::query(&self.0.sql.create)
                    .bind(&id)
                    .bind(&data)
                    .bind(record.expiry_date)
                    .bind(self.idle())
                    .bind(key.0)
            };
            if self.0.database.run(insert).await.map_err(backend)?.affected == 1 {
                return Ok(data);
            }
        }
    }

    async fn renew(&self, record: &mut Record, old: &Id) -> Result<Option<Vec<u8>>> {
        let key = stamp(record, self.0.idle_expiry);
        let data = new_id(record)?;
        let (id, old) = (record.id.to_string(), old.to_string());
        let renew = || {
            sqlx::query(&self.0.sql.renew)
                .bind(&old)
                .bind(&id)
                .bind(&data)
                .bind(record.expiry_date)
                .bind(self.idle())
                .bind(key.0)
        };
        let renewed = self.0.database.run(renew).await.map_err(backend)?;
        Ok((renewed.affected == 1).then_some(data))
    }

    async fn replace(&self, record: &Record, data: &[u8], expected: Option<&[u8]>) -> Result<bool> {
        let id = record.id.to_string();
        let update = || {
            sqlx::query(&self.0.sql.save)
                .bind(data)
                .bind(record.expiry_date)
                .bind(self.idle())
                .bind(SessionKey::in_data(&record.data).map(|key| key.0))
                .bind(&id)
                .bind(expected)
        };
        Ok(self.0.database.run(update).await.map_err(backend)?.affected == 1)
    }

    async fn end(&self, id: &Id) -> Result<()> {
        let id = id.to_string();
        let delete = || sqlx::query(&self.0.sql.end).bind(&id);
        self.0.database.run(delete).await.map_err(backend)?;
        Ok(())
    }
}

fn stored(row: &PgRow) -> sqlx::Result<StoredSession> {
    let data: Vec<u8> = row.try_get("data")?;
    let key = SessionKey(row.try_get("flash_key")?);
    let record = decode(&data, key, row.try_get("expiry_date")?);
    let needs_touch = row.try_get("needs_touch")?;
    Ok(StoredSession {
        key,
        data,
        needs_touch,
        record,
    })
}

fn new_id(record: &mut Record) -> Result<Vec<u8>> {
    record.id = Id::default();
    encode(record)
}

fn backend(error: sqlx::Error) -> Error {
    Error::Backend(describe(&error))
}

/// For what has no request: jobs, tests, another session layer. Requests get their sessions from
/// [`SessionLayer`](crate::SessionLayer), which also merges changes and renews ids.
#[async_trait]
impl SessionStore for PostgresSessionStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.insert(record).await.map(drop)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.replace(record, &encode(record)?, None).await.map(drop)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.read(id).await?.and_then(|stored| stored.record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.end(id).await
    }
}

#[async_trait]
impl ExpiredDeletion for PostgresSessionStore {
    async fn delete_expired(&self) -> Result<()> {
        delete_in_batches(&self.0.database, &self.0.sql.delete_expired)
            .await
            .map_err(backend)?;
        Ok(())
    }
}

fn schema(table: &Table) -> Schema {
    Schema {
        table: table.clone(),
        create: format!(
            "create table if not exists {table} (
    id text primary key not null,
    data bytea not null,
    expiry_date timestamptz not null,
    flash_key uuid default gen_random_uuid(),
    ends_at timestamptz,
    renewed boolean not null default false
)"
        ),
        columns: vec![
            ("flash_key", "uuid", Some("gen_random_uuid()")),
            ("ends_at", "timestamptz", None),
            ("renewed", "boolean not null default false", None),
        ],
        indexes: vec![
            ("expiry_date", "(expiry_date)"),
            // For the end of a session, which may have several ids.
            ("flash_key", "(flash_key)"),
        ],
    }
}

#[derive(Clone)]
struct Sql {
    create: String,
    load: String,
    save: String,
    renew: String,
    end: String,
    touch: String,
    delete_expired: String,
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sql").finish_non_exhaustive()
    }
}

impl Sql {
    fn new(session: &Table) -> Self {
        let session = session.to_string();
        let tables = [("session", &*session)];
        let statement =
            |sql: &str| statement(&sql.replace(":needs_touch", NEEDS_TOUCH), &tables, &[]);
        Self {
            create: statement(include_str!("sql/create.sql")),
            load: statement(include_str!("sql/load.sql")),
            save: statement(include_str!("sql/save.sql")),
            renew: statement(include_str!("sql/renew.sql")),
            end: statement(include_str!("sql/end.sql")),
            touch: statement(include_str!("sql/touch.sql")),
            delete_expired: statement(include_str!("sql/delete_expired.sql")),
        }
    }
}
