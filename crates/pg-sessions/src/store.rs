//! The session store in PostgreSQL.

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
    expiry::{NEEDS_TOUCH, Touch, Touches},
    info::{decode, encode, prepare},
    key::SessionKey,
    layout::Layout,
    purge::delete_in_batches,
    schema::{Column, Index, Schema, Table},
    sessions::{Sessions, StoredSession},
    statement::render,
};

/// Keeps sessions in the table of tower-sessions-sqlx-store's `PostgresStore`, in the same format. It
/// differs from `PostgresStore` as follows:
///
/// | `PostgresStore` | this store |
/// |---|---|
/// | `create` runs four statements. It reuses the id of a flushed session. | `create` runs one statement. The id is always new. |
/// | `save` inserts a missing row: a concurrent request undoes a logout. | `save` only updates. |
/// | If two requests save, the last one wins. | Changes of different keys are both kept. |
/// | A logout deletes one row. | A logout deletes all rows of the session. |
/// | A visitor whose data can't be read gets errors. | The visitor has no session. The log says so. |
/// | One statement deletes all expired rows. | Each statement deletes up to 1,000 rows. |
/// | A session ends at a fixed time, or each change moves its end. | A session has an idle end and a latest end, see [`with_idle_expiry`](Self::with_idle_expiry). |
///
/// [`SessionLayer`](crate::SessionLayer) gives requests their sessions.
#[derive(Clone, Debug)]
pub struct PostgresSessionStore(Arc<Shared>);

#[derive(Clone, Debug)]
struct Shared {
    database: Database,
    table: Table,
    /// The name of the table, as [`Sessions::name`] returns it.
    name: String,
    layout: Layout,
    idle_expiry: Option<Duration>,
    touches: Touches,
    sql: Sql,
}

impl PostgresSessionStore {
    /// Creates a store for the table `session` in the schema `tower_sessions`, as `PostgresStore` does.
    ///
    /// At its first use it opens its own connections, with the options of this pool. It opens as many as
    /// the pool may have, but at least 6.
    pub fn new(pool: PgPool) -> Self {
        let table = Table::sessions();
        Self(Arc::new(Shared {
            database: Database::new(pool),
            sql: Sql::new(&table, Layout::default()),
            name: table.to_string(),
            table,
            layout: Layout::default(),
            idle_expiry: None,
            touches: Touches::default(),
        }))
    }

    /// Sets the schema and the table. Any name is allowed, because names are quoted. Default:
    /// `tower_sessions`, `session`.
    pub fn with_table(mut self, schema: &str, table: &str) -> Self {
        let shared = Arc::make_mut(&mut self.0);
        shared.table = Table::new(schema, table);
        shared.name = shared.table.to_string();
        shared.sql = Sql::new(&shared.table, shared.layout);
        self
    }

    /// Sets the layout of the tables. All instances of an app need the same. Default: plain tables.
    pub fn with_layout(mut self, layout: Layout) -> Self {
        let shared = Arc::make_mut(&mut self.0);
        shared.layout = layout;
        shared.sql = Sql::new(&shared.table, layout);
        shared.database = Database::for_layout(shared.database.app_pool().clone(), layout);
        self
    }

    /// Returns the layout of the tables.
    pub fn layout(&self) -> Layout {
        self.0.layout
    }

    /// Ends a session after this time without a page load, a call or a form. Default: never.
    ///
    /// With an idle expiry, the `Max-Age` of the session's cookie is the session's latest end, counted
    /// from its creation. Requests move the idle end at most once a minute, for many sessions in one
    /// statement. Files, prefetches and `HEAD` requests don't move it.
    pub fn with_idle_expiry(mut self, idle: Duration) -> Self {
        Arc::make_mut(&mut self.0).idle_expiry = Some(idle);
        self
    }

    /// Returns the idle expiry in seconds, as the statements take it. Returns `None` if there is none.
    pub fn idle_seconds(&self) -> Option<f64> {
        self.0.idle_expiry.map(|idle| idle.as_secs_f64())
    }

    /// Returns the pool that the store was created with.
    pub fn pool(&self) -> &PgPool {
        self.0.database.app_pool()
    }

    /// Returns the store's own connections, for statements on other tables of the same database.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Returns the name of the sessions' table.
    pub fn table(&self) -> &Table {
        &self.0.table
    }

    /// Returns the SQL that creates the schema and the table. Run it as a role that may create tables if
    /// the app's role may not. It can run again.
    pub fn schema(&self) -> String {
        schema(&self.0.table, self.0.layout).sql()
    }

    /// Creates the schema and the table if they are missing, and logs a warning if a pooler drops the
    /// settings of connections. It adds columns and indexes to a table that
    /// `PostgresStore` created. Many instances may call it at once: they take turns. If nothing is
    /// missing, it only reads.
    ///
    /// # Errors
    /// - The database can't be reached.
    /// - The table stays locked for 2 seconds.
    /// - The database user may not create what is missing, see [`schema`](Self::schema).
    /// - The table has another layout.
    pub async fn migrate(&self) -> sqlx::Result<()> {
        schema(&self.0.table, self.0.layout)
            .migrate(&self.0.database)
            .await?;
        self.0.database.check_settings().await
    }

    /// Returns whether the database answers within 3 seconds and can be written. Use it for a readiness
    /// probe. A standby can't be written, and neither can a primary that has become one.
    pub async fn is_writable(&self) -> bool {
        let writable =
            || sqlx::query("select current_setting('transaction_read_only') = 'off' as writable");
        let answer = self.0.database.read(writable);
        let row = match tokio::time::timeout(Duration::from_secs(3), answer).await {
            Ok(Ok(answer)) => answer.rows.into_iter().next(),
            _ => None,
        };
        let is_writable = row.is_some_and(|row| row.try_get("writable").unwrap_or(false));
        if !is_writable {
            self.0.database.retire_connections();
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
        self.0.touches.touch(id, || Touch {
            database: self.0.database.clone(),
            layout: self.0.layout,
            sql: self.0.sql.touch.clone(),
            idle: self.idle_seconds(),
        });
    }

    async fn read(&self, id: &Id) -> Result<Option<StoredSession>> {
        let (shard, id) = (self.0.layout.shard(id), id.to_string());
        let select = || {
            sqlx::query(&self.0.sql.load)
                .bind(self.idle_seconds())
                .bind(shard)
                .bind(&id)
        };
        let answer = self.0.database.read(select).await.map_err(backend_error)?;
        let Some(row) = answer.rows.first() else {
            return Ok(None);
        };
        decode_row(row).map(Some).map_err(backend_error)
    }

    async fn insert(&self, record: &mut Record) -> Result<Vec<u8>> {
        let key = prepare(record, self.0.idle_expiry);
        loop {
            let data = assign_new_id(record, key)?;
            let id = record.id.to_string();
            let insert = || {
                sqlx::query(&self.0.sql.create)
                    .bind(self.0.layout.shard_of_key(key))
                    .bind(&id)
                    .bind(&data)
                    .bind(record.expiry_date)
                    .bind(self.idle_seconds())
                    .bind(key.0)
            };
            if self
                .0
                .database
                .write(insert)
                .await
                .map_err(backend_error)?
                .affected
                == 1
            {
                return Ok(data);
            }
        }
    }

    async fn renew(&self, record: &mut Record, old: &Id) -> Result<Option<Vec<u8>>> {
        let key = prepare(record, self.0.idle_expiry);
        let data = assign_new_id(record, key)?;
        let shard = self.0.layout.shard(old);
        let (id, old) = (record.id.to_string(), old.to_string());
        let renew = || {
            sqlx::query(&self.0.sql.renew)
                .bind(shard)
                .bind(&old)
                .bind(&id)
                .bind(&data)
                .bind(record.expiry_date)
                .bind(self.idle_seconds())
                .bind(key.0)
        };
        let renewed = self.0.database.write(renew).await.map_err(backend_error)?;
        // If the answer to a first attempt got lost, the second one finds the session renewed: by us.
        let is_ours = renewed.affected == 1 || self.read(&record.id).await?.is_some();
        Ok(is_ours.then_some(data))
    }

    async fn replace(&self, record: &Record, data: &[u8], expected: Option<&[u8]>) -> Result<bool> {
        let id = record.id.to_string();
        let update = || {
            sqlx::query(&self.0.sql.save)
                .bind(data)
                .bind(record.expiry_date)
                .bind(self.idle_seconds())
                .bind(SessionKey::in_data(&record.data).map(|key| key.0))
                .bind(self.0.layout.shard(&record.id))
                .bind(&id)
                .bind(expected)
        };
        Ok(self
            .0
            .database
            .write(update)
            .await
            .map_err(backend_error)?
            .affected
            == 1)
    }

    async fn end(&self, id: &Id) -> Result<()> {
        let (shard, id) = (self.0.layout.shard(id), id.to_string());
        let delete = || sqlx::query(&self.0.sql.end).bind(shard).bind(&id);
        self.0.database.write(delete).await.map_err(backend_error)?;
        Ok(())
    }
}

fn decode_row(row: &PgRow) -> sqlx::Result<StoredSession> {
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

/// Gives the session with this key a new id. Returns its encoded data.
fn assign_new_id(record: &mut Record, key: SessionKey) -> Result<Vec<u8>> {
    record.id = key.new_id();
    encode(record)
}

fn backend_error(error: sqlx::Error) -> Error {
    Error::Backend(describe(&error))
}

/// Jobs, tests and other session layers use this trait. Requests get their sessions from
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
        delete_in_batches(&self.0.database, self.0.layout, &self.0.sql.delete_expired)
            .await
            .map_err(backend_error)?;
        Ok(())
    }
}

fn schema(table: &Table, layout: Layout) -> Schema {
    Schema {
        table: table.clone(),
        layout,
        definition: "id text not null,
    data bytea not null,
    expiry_date timestamptz not null,
    flash_key uuid default gen_random_uuid(),
    ends_at timestamptz,
    renewed boolean not null default false,
    shard smallint not null default 0",
        key: "id",
        storage: "",
        columns: vec![
            column("flash_key", "uuid", Some("gen_random_uuid()")),
            column("ends_at", "timestamptz", None),
            column("renewed", "boolean not null default false", None),
            column("shard", "smallint not null default 0", None),
        ],
        // A session may have several rows, one for each of its ids. They have one key.
        indexes: ["expiry_date", "flash_key"]
            .map(|column| Index {
                name: column,
                on: column,
                condition: "",
                is_unique: false,
            })
            .into(),
    }
}

fn column(name: &'static str, definition: &'static str, default: Option<&'static str>) -> Column {
    Column {
        name,
        definition,
        default,
    }
}

/// The statements of `sql/`.
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
    fn new(session: &Table, layout: Layout) -> Self {
        let session = session.to_string();
        let tables = [("session", &*session)];
        let statement = |sql: &str| {
            let sql = sql.replace(":needs_touch", NEEDS_TOUCH);
            render(&sql, &tables, layout.parts())
        };
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
