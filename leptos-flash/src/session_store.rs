//! The session store of tower-sessions-sqlx-store, made safe under concurrency.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::PgPool;
use time::OffsetDateTime;
use tower_sessions::{
    ExpiredDeletion, Session, SessionStore,
    session::{self, Id, Record},
    session_store::{Error, Result},
};
use tower_sessions_sqlx_store::PostgresStore;
use uuid::Uuid;

use crate::{
    FlashError, FlashKey,
    purge::delete_in_batches,
    session_cookie::{self, Fate},
    store::in_time,
};

/// [`PostgresStore`] with the same table and format, but:
///
/// - `create` is one statement instead of four, and never takes up an id again: `PostgresStore`
///   revives the id of a session that was flushed and then written to in the same request;
/// - `save` only updates: `PostgresStore` inserts, so that a request still in flight undoes a
///   logout;
/// - expired rows are deleted in batches;
/// - a session can end after some time without a page, and after some time in any case: see
///   [`with_idle_expiry`](Self::with_idle_expiry);
/// - each session is born with a [`FlashKey`], kept in its data and in a column beside it, so that
///   messages are found in one statement and survive a renewed id.
#[derive(Clone, Debug)]
pub struct PostgresSessionStore {
    // Cheap to clone: the layers do it for every request.
    inner: Arc<PostgresStore>,
    pool: PgPool,
    pub(crate) table: Arc<Table>,
    pub(crate) idle_expiry: Option<Duration>,
    sql: Arc<Sql>,
}

/// Where the flash key is in a session's data.
const DATA_KEY: &str = "leptos-flash.key";

/// Where the times of its birth and its latest end are, in seconds since 1970.
const CREATED: &str = "leptos-flash.created";
const ENDS: &str = "leptos-flash.ends";

/// When a session was born; renewing its id doesn't change that. None for a session that the plain
/// `PostgresStore` wrote.
pub fn created(record: &Record) -> Option<OffsetDateTime> {
    seconds(record, CREATED)
}

/// When a session ends at the latest, however busy it is. None without an
/// [idle expiry](PostgresSessionStore::with_idle_expiry): its end moves on with each change then.
pub fn ends(record: &Record) -> Option<OffsetDateTime> {
    seconds(record, ENDS)
}

fn seconds(record: &Record, name: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(record.data.get(name)?.as_i64()?).ok()
}

/// Gives a session a new id, as a login should, without logging out requests that are under way.
///
/// They come with the old id, which `Session::cycle_id` deletes: the visitor's second tab would be
/// a stranger, and its answer would take the new cookie away. Here the old id is good for another
/// 10 seconds: for reading, and for messages, but what it writes into the session is lost. It is done
/// when the answer leaves; one that fails (5xx) leaves all as it was.
///
/// # Errors
/// The database can't be reached.
pub async fn renew_id(session: &Session) -> std::result::Result<(), session::Error> {
    if let Some(id) = session.id() {
        session.insert(RENEWED_FROM, id.to_string()).await?;
    }
    RENEWING.scope((), session.cycle_id()).await
}

/// Where the id is that a session had until now; it is taken out when the session is stored.
const RENEWED_FROM: &str = "leptos-flash.renewed-from";

tokio::task_local! {
    /// Tells a delete that is part of a renewal from the end of a session.
    static RENEWING: ();
}

impl PostgresSessionStore {
    /// A store in schema `tower_sessions`, table `session`, as `PostgresStore`'s.
    pub fn new(pool: PgPool) -> Self {
        let table = Table::sessions();
        Self {
            inner: Arc::new(PostgresStore::new(pool.clone())),
            sql: Arc::new(Sql::new(&table, None)),
            pool,
            table: Arc::new(table),
            idle_expiry: None,
        }
    }

    /// Another schema and table.
    ///
    /// # Errors
    /// A name is not an identifier of letters, digits, `_` and `$`; the error says which.
    pub fn with_table(mut self, schema: &str, table: &str) -> std::result::Result<Self, String> {
        let inner = PostgresStore::new(self.pool.clone()).with_schema_name(schema)?;
        self.inner = Arc::new(inner.with_table_name(table)?);
        self.table = Arc::new(Table::new(schema, table));
        self.sql = Arc::new(Sql::new(&self.table, self.idle_expiry));
        Ok(self)
    }

    /// Ends a session after so long without a page load. Default: never.
    ///
    /// The `Expiry` of the session layer is then the age at which it ends in any case, counted from
    /// its birth, and how long the browser keeps the cookie. A page load moves the idle end on, in
    /// the statement that takes the messages and once a minute at most; files don't.
    pub fn with_idle_expiry(mut self, idle: Duration) -> Self {
        self.idle_expiry = Some(idle);
        self.sql = Arc::new(Sql::new(&self.table, self.idle_expiry));
        self
    }

    /// The database.
    pub fn pool(&self) -> &PgPool {
        &self.pool
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
        if self.idle_expiry.is_some() {
            // A renewed id has the end of the session that it goes on with.
            let ends = ends(record).map_or(record.expiry_date, |end| end.min(record.expiry_date));
            record
                .data
                .insert(ENDS.into(), ends.unix_timestamp().into());
            record.expiry_date = ends;
        }
        if let Some(old) = record.data.remove(RENEWED_FROM) {
            let old = old.as_str().unwrap_or_default();
            let renewed = self.insert(record, key, &self.sql.renew, Some(old)).await?;
            if renewed || self.is_renewed(old).await? {
                // Another request was faster: its id is the one that counts.
                session_cookie::note(if renewed { Fate::Alive } else { Fate::Gone });
                return Ok(());
            }
        }
        while !self.insert(record, key, &self.sql.insert, None).await? {}
        session_cookie::note(Fate::Alive);
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let saved = sqlx::query(&self.sql.update)
            .bind(record.id.to_string())
            .bind(encode(record)?)
            .bind(record.expiry_date)
            .bind(flash_key(&mut record.data.clone()))
            .execute(&self.pool);
        let saved = in_time(saved).await.map_err(backend)?;
        if saved.rows_affected() == 0 {
            session_cookie::note(Fate::Gone);
        }
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let row = sqlx::query_as(&self.sql.select)
            .bind(id.to_string())
            .fetch_optional(&self.pool);
        let row: Option<(Vec<u8>, OffsetDateTime, Uuid)> = in_time(row).await.map_err(backend)?;
        let Some((data, expiry_date, key)) = row else {
            return Ok(None);
        };
        let mut record: Record =
            rmp_serde::from_slice(&data).map_err(|error| Error::Decode(error.to_string()))?;
        record.expiry_date = expiry_date;
        // A session that PostgresStore wrote has its key in the column alone.
        (record.data.entry(DATA_KEY.into())).or_insert_with(|| key.to_string().into());
        Ok(Some(record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        if RENEWING.try_with(|()| ()).is_ok() {
            // `create` sees to it.
            return Ok(());
        }
        session_cookie::note(Fate::Ended);
        let deleted = in_time(async { Ok(self.inner.delete(id).await) });
        deleted.await.map_err(backend)?
    }
}

impl PostgresSessionStore {
    /// Stores a session under a new id, `old` being the one that it had. False: it is not there.
    async fn insert(
        &self,
        record: &mut Record,
        key: Uuid,
        sql: &str,
        old: Option<&str>,
    ) -> Result<bool> {
        record.id = Id::default();
        let mut query = sqlx::query(sql)
            .bind(record.id.to_string())
            .bind(encode(record)?)
            .bind(record.expiry_date)
            .bind(key);
        if let Some(old) = old {
            query = query.bind(old);
        }
        let inserted = in_time(query.execute(&self.pool)).await.map_err(backend)?;
        Ok(inserted.rows_affected() == 1)
    }

    async fn is_renewed(&self, id: &str) -> Result<bool> {
        let row = sqlx::query_scalar(&self.sql.is_renewed)
            .bind(id)
            .fetch_optional(&self.pool);
        Ok(in_time(row).await.map_err(backend)?.unwrap_or(false))
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
    session: &Session,
) -> std::result::Result<FlashKey, session::Error> {
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
    renew: String,
    is_renewed: String,
    delete_expired: String,
}

impl Sql {
    fn new(session: &Table, idle_expiry: Option<Duration>) -> Self {
        // $3 is the end that tower-sessions knows of.
        let (ends_at, born_until, saved_until) = match idle_end(idle_expiry) {
            Some(idle_end) => (
                "$3",
                format!("least($3, {idle_end})"),
                format!("least(ends_at, $3, {idle_end})"),
            ),
            None => ("null", "$3".to_owned(), "$3".to_owned()),
        };
        Self {
            create: format!(
                "create table if not exists {session} (
                    id text primary key not null,
                    data bytea not null,
                    expiry_date timestamptz not null
                 )"
            ),
            alter: format!(
                "alter table {session}
                    add column if not exists flash_key uuid not null default gen_random_uuid(),
                    add column if not exists ends_at timestamptz,
                    add column if not exists renewed boolean not null default false;
                 create index if not exists {index} on {session} (expiry_date)",
                index = session.index("expiry_date"),
            ),
            insert: format!(
                "/* session create */ insert into {session} (id, data, expiry_date, flash_key, ends_at)
                 values ($1, $2, {born_until}, $4, {ends_at})
                 on conflict (id) do nothing"
            ),
            update: format!(
                "/* session save */ update {session} set data = $2, expiry_date = {saved_until},
                    ends_at = least(ends_at, {ends_at}), flash_key = coalesce($4, flash_key)
                 where id = $1 and not renewed"
            ),
            select: format!(
                "/* session load */ select data, expiry_date, flash_key from {session}
                 where id = $1 and expiry_date > now()"
            ),
            renew: format!(
                "/* session renew */ with old as (
                    update {session} set renewed = true,
                        expiry_date = least(expiry_date, now() + interval '10 seconds')
                    where id = $5 and not renewed and expiry_date > now()
                    returning id
                 )
                 insert into {session} (id, data, expiry_date, flash_key, ends_at)
                 select $1, $2, {born_until}, $4, {ends_at} from old
                 on conflict (id) do nothing"
            ),
            is_renewed: format!(
                "/* session is renewed */ select renewed from {session} where id = $1"
            ),
            delete_expired: format!(
                "/* session delete expired */ delete from {session} where id in (
                    select id from {session} where expiry_date < now()
                    limit 1000 for update skip locked
                 )"
            ),
        }
    }
}

/// When a session that is used now ends, in SQL.
fn idle_end(idle_expiry: Option<Duration>) -> Option<String> {
    let seconds = idle_expiry?.as_secs();
    Some(format!("now() + interval '{seconds} seconds'"))
}

/// For the statement that takes the messages, in SQL: whether it must move the idle end of a session
/// on, which it does once a minute at most, and to when.
pub(crate) fn keep_alive(idle_expiry: Option<Duration>) -> (String, String) {
    let Some(idle_end) = idle_end(idle_expiry) else {
        return ("false".to_owned(), "s.expiry_date".to_owned());
    };
    let end = format!("least(ends_at, {idle_end})");
    let is_due = format!("not renewed and expiry_date < {end} - interval '1 minute'");
    (is_due, end)
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
