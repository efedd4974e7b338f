//! The session store of tower-sessions-sqlx-store, made safe under concurrency.

use std::{collections::HashMap, fmt};

use async_trait::async_trait;
use sqlx::PgPool;
use time::OffsetDateTime;
use tower_sessions::{
    ExpiredDeletion, SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};
use tower_sessions_sqlx_store::PostgresStore;
use uuid::Uuid;

use crate::{FlashError, FlashKey, purge::delete_in_batches};

/// [`PostgresStore`] with the same table and format, but:
///
/// - `create` is one statement instead of four, and never takes up an id again: `PostgresStore`
///   revives the id of a session that was flushed and then written to in the same request;
/// - `save` only updates: `PostgresStore` inserts, so that a request still in flight undoes a
///   logout;
/// - expired rows are deleted in batches;
/// - each session is born with a [`FlashKey`], kept in its data and in a column beside it, so that
///   messages are found in one statement and survive a renewed id.
#[derive(Clone, Debug)]
pub struct PostgresSessionStore {
    inner: PostgresStore,
    pool: PgPool,
    table: Table,
    sql: Sql,
}

/// Where the flash key is in a session's data.
const DATA_KEY: &str = "leptos-flash.key";

/// Where the time of its birth is, in seconds since 1970.
const CREATED: &str = "leptos-flash.created";

/// When a session was born; renewing its id doesn't change that. None for a session that the plain
/// `PostgresStore` wrote.
pub fn created(record: &Record) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(record.data.get(CREATED)?.as_i64()?).ok()
}

impl PostgresSessionStore {
    /// A store in schema `tower_sessions`, table `session`, as `PostgresStore`'s.
    pub fn new(pool: PgPool) -> Self {
        let table = Table::sessions();
        Self {
            inner: PostgresStore::new(pool.clone()),
            sql: Sql::new(&table),
            pool,
            table,
        }
    }

    /// Another schema and table.
    ///
    /// # Errors
    /// A name is not an identifier of letters, digits, `_` and `$`; the error says which.
    pub fn with_table(mut self, schema: &str, table: &str) -> std::result::Result<Self, String> {
        self.inner = (self.inner.with_schema_name(schema)?).with_table_name(table)?;
        self.table = Table::new(schema, table);
        self.sql = Sql::new(&self.table);
        Ok(self)
    }

    /// Creates the schema and the table when they are missing, and adds what this store needs to a
    /// table that `PostgresStore` made. Safe when many instances start at once: they take turns.
    ///
    /// # Errors
    /// The database can't be reached, or its user may not create tables.
    pub async fn migrate(&self) -> std::result::Result<(), FlashError> {
        self.table
            .create(&self.pool, &[&self.sql.create, &self.sql.alter])
            .await?;
        Ok(())
    }
}

#[async_trait]
impl SessionStore for PostgresSessionStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let key = *flash_key(&mut record.data).get_or_insert_with(Uuid::new_v4);
        record.data.insert(DATA_KEY.into(), key.to_string().into());
        let now = OffsetDateTime::now_utc().unix_timestamp();
        (record.data.entry(CREATED.into())).or_insert_with(|| now.into());
        loop {
            record.id = Id::default();
            let created = sqlx::query(&self.sql.insert)
                .bind(record.id.to_string())
                .bind(encode(record)?)
                .bind(record.expiry_date)
                .bind(key)
                .execute(&self.pool)
                .await
                .map_err(backend)?;
            if created.rows_affected() == 1 {
                return Ok(());
            }
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        sqlx::query(&self.sql.update)
            .bind(record.id.to_string())
            .bind(encode(record)?)
            .bind(record.expiry_date)
            .bind(flash_key(&mut record.data.clone()))
            .execute(&self.pool)
            .await
            .map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let row: Option<(Vec<u8>, Uuid)> = sqlx::query_as(&self.sql.select)
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(backend)?;
        let Some((data, key)) = row else {
            return Ok(None);
        };
        let mut record: Record =
            rmp_serde::from_slice(&data).map_err(|error| Error::Decode(error.to_string()))?;
        // A session that PostgresStore wrote has its key in the column alone.
        (record.data.entry(DATA_KEY.into())).or_insert_with(|| key.to_string().into());
        Ok(Some(record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.inner.delete(id).await
    }
}

#[async_trait]
impl ExpiredDeletion for PostgresSessionStore {
    async fn delete_expired(&self) -> Result<()> {
        delete_in_batches(&self.pool, &self.sql.delete_expired)
            .await
            .map_err(backend)?;
        Ok(())
    }
}

/// The session's flash key; a new session gets one.
pub(crate) async fn flash_key_of(
    session: &tower_sessions::Session,
) -> std::result::Result<FlashKey, tower_sessions::session::Error> {
    if let Some(key) = session.get(DATA_KEY).await? {
        return Ok(FlashKey(key));
    }
    let key = Uuid::new_v4();
    session.insert(DATA_KEY, key).await?;
    Ok(FlashKey(key))
}

fn flash_key(data: &mut HashMap<String, serde_json::Value>) -> Option<Uuid> {
    data.get(DATA_KEY)?.as_str()?.parse().ok()
}

fn encode(record: &Record) -> Result<Vec<u8>> {
    rmp_serde::to_vec(record).map_err(|error| Error::Encode(error.to_string()))
}

fn backend(error: impl fmt::Display) -> Error {
    Error::Backend(error.to_string())
}

#[derive(Clone, Debug)]
struct Sql {
    create: String,
    alter: String,
    insert: String,
    update: String,
    select: String,
    delete_expired: String,
}

impl Sql {
    fn new(session: &Table) -> Self {
        Self {
            create: format!(
                "create table if not exists {session} (
                    id text primary key not null,
                    data bytea not null,
                    expiry_date timestamptz not null
                 )"
            ),
            alter: format!(
                "alter table {session} add column if not exists
                    flash_key uuid not null default gen_random_uuid();
                 create index if not exists {index} on {session} (expiry_date)",
                index = session.index("expiry_date"),
            ),
            insert: format!(
                "insert into {session} (id, data, expiry_date, flash_key) values ($1, $2, $3, $4)
                 on conflict (id) do nothing"
            ),
            update: format!(
                "update {session} set data = $2, expiry_date = $3,
                    flash_key = coalesce($4, flash_key)
                 where id = $1"
            ),
            select: format!(
                "select data, flash_key from {session} where id = $1 and expiry_date > now()"
            ),
            delete_expired: format!(
                "delete from {session} where id in (
                    select id from {session} where expiry_date < now()
                    limit 1000 for update skip locked
                 )"
            ),
        }
    }
}

/// A table's name, quoted.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    schema: String,
    table: String,
}

impl Table {
    pub fn new(schema: &str, table: &str) -> Self {
        let [schema, table] = [schema, table].map(str::to_owned);
        Self { schema, table }
    }

    pub fn sessions() -> Self {
        Self::new("tower_sessions", "session")
    }

    /// The name of an index of this table.
    pub fn index(&self, columns: &str) -> String {
        quoted(&format!("{}_{columns}_idx", self.table))
    }

    /// Creates the schema and runs `statements`, one instance at a time: `create … if not exists`
    /// fails when two do it at once.
    pub async fn create(&self, pool: &PgPool, statements: &[&str]) -> sqlx::Result<()> {
        let mut transaction = pool.begin().await?;
        sqlx::query("select pg_advisory_xact_lock(hashtext('leptos-flash migrate'))")
            .execute(&mut *transaction)
            .await?;
        // `create schema if not exists` asks for the right to create one even when it is there.
        let schema = quoted(&self.schema);
        let missing = sqlx::query_scalar("select to_regnamespace($1) is null")
            .bind(&schema)
            .fetch_one(&mut *transaction)
            .await?;
        if missing {
            sqlx::raw_sql(&format!("create schema {schema}"))
                .execute(&mut *transaction)
                .await?;
        }
        for sql in statements {
            sqlx::raw_sql(sql).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", quoted(&self.schema), quoted(&self.table))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_break_out_of_its_quotes() {
        let table = Table::new("s", "t\"; drop table x; --");
        assert_eq!(table.to_string(), "\"s\".\"t\"\"; drop table x; --\"");
    }
}
