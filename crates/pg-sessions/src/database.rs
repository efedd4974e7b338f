//! Runs statements on connections that work, with time limits.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use futures::TryStreamExt;
use sqlx::{
    Connection as _, Either, Executor, PgConnection, PgPool, Postgres, Row,
    pool::{PoolConnection, PoolConnectionMetadata},
    postgres::{PgArguments, PgConnectOptions, PgRow},
    query::Query,
};

use crate::layout::{Layout, OtherLayout};

/// PostgreSQL cancels a statement after this time. A cancelled statement has changed nothing.
const STATEMENT_TIMEOUT: &str = "3s";

/// This process stops waiting for a statement after this time, if the server hangs or its network is
/// gone. It is longer than [`STATEMENT_TIMEOUT`]: PostgreSQL cancels a slow statement first.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(4);

/// What a page needs waits at most this long for a server that can answer.
pub const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// What somebody has sent waits at most this long for a server that can store it: longer than a standby
/// takes to become the primary.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection must answer a ping within this time.
const PING_TIMEOUT: Duration = Duration::from_millis(500);

/// A statement with its values.
pub type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// The database of the app's pool, with a second pool of its own.
///
/// The second pool has the options of the app's pool. It exists for three reasons:
/// - Its connections have planner settings for statements by key. PostgreSQL plans each statement once.
/// - sqlx 0.8 pings a dropped connection without a time limit (transact-rs/sqlx#4349). A connection
///   that never answers blocks its place in the pool for ever. Here the ping has a limit.
/// - After a failure, each idle connection is checked before its next use.
///
/// ```no_run
/// use pg_sessions::database::Database;
///
/// # async fn example(pool: sqlx::PgPool) -> sqlx::Result<()> {
/// let database = Database::new(pool);
/// let answer = database.read(|| sqlx::query("select text from note where id = $1").bind(7)).await?;
/// assert_eq!(answer.rows.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Database(Arc<Shared>);

struct Shared {
    app_pool: PgPool,
    layout: Layout,
    own_pool: OnceLock<PgPool>,
    /// The options of `app_pool` that `own_pool` has.
    options: Mutex<Option<Arc<PgConnectOptions>>>,
    failures: Arc<Mutex<Failures>>,
}

/// The times of the last failures.
#[derive(Default)]
struct Failures {
    /// A connection broke at this time. Connections that were last used before it are pinged.
    broken: Option<Instant>,
    /// The server refused to write at this time. Connections that were opened before it are closed.
    read_only: Option<Instant>,
}

impl Database {
    /// Describes the database of this pool. It opens no connection yet.
    pub fn new(app_pool: PgPool) -> Self {
        Self::for_layout(app_pool, Layout::default())
    }

    /// The same, for tables with this layout.
    pub fn for_layout(app_pool: PgPool, layout: Layout) -> Self {
        Self(Arc::new(Shared {
            app_pool,
            layout,
            own_pool: OnceLock::new(),
            options: Mutex::default(),
            failures: Arc::default(),
        }))
    }

    /// Returns the app's pool.
    pub fn app_pool(&self) -> &PgPool {
        &self.0.app_pool
    }

    /// Returns the number of open connections, and how many of them are idle. Those of the app's pool do
    /// not count.
    pub fn connections(&self) -> (u32, usize) {
        let pool = self.0.own_pool.get();
        pool.map_or((0, 0), |pool| (pool.size(), pool.num_idle()))
    }

    /// Returns a connection for one or more statements. Pass each of their results to
    /// [`check`](Connection::check). It tries again while the database can't be reached: a standby may be
    /// about to become the primary.
    ///
    /// # Errors
    /// The database can't be reached, or no connection becomes free, until the deadline.
    pub async fn connection(&self, deadline: &mut Deadline) -> sqlx::Result<Connection> {
        loop {
            let acquired = tokio::time::timeout_at(deadline.ends, self.own_pool().acquire()).await;
            match acquired.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
                Ok(pooled) => {
                    return Ok(Connection {
                        pooled: Some(pooled),
                        failures: self.0.failures.clone(),
                    });
                }
                Err(error) if !is_transient(&error) || !deadline.wait_to_retry().await => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
    }

    /// Runs a statement for a page and returns its answer. It waits for the database for up to 2 seconds.
    /// If a connection turns out to be broken, it runs the statement again, on another one: running
    /// twice must do no harm.
    ///
    /// # Errors
    /// The statement fails, or takes longer than 4 seconds.
    pub async fn read<'q>(&self, query: impl Fn() -> PgQuery<'q>) -> sqlx::Result<Answer> {
        self.run(READ_TIMEOUT, query).await
    }

    /// Runs a statement that stores something, like [`read`](Self::read). It waits for the database for
    /// up to 5 seconds: a standby has become the primary by then.
    ///
    /// # Errors
    /// The statement fails, or takes longer than 4 seconds.
    pub async fn write<'q>(&self, query: impl Fn() -> PgQuery<'q>) -> sqlx::Result<Answer> {
        self.run(WRITE_TIMEOUT, query).await
    }

    async fn run<'q>(
        &self,
        timeout: Duration,
        query: impl Fn() -> PgQuery<'q>,
    ) -> sqlx::Result<Answer> {
        let mut deadline = Deadline::new(timeout);
        loop {
            let mut connection = self.connection(&mut deadline).await?;
            let result = with_timeout(execute(&mut connection, query())).await;
            match connection.check(result) {
                Err(error) if is_retryable(&error) && deadline.wait_to_retry().await => {}
                result => return result,
            }
        }
    }

    /// Logs a warning if our connections have not the settings that they should have: a pooler between
    /// this program and PostgreSQL may drop them.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn check_settings(&self) -> sqlx::Result<()> {
        let mut lost = Vec::new();
        for (name, value) in settings(self.0.layout) {
            let setting = || {
                let sql = "select current_setting($1) as value, quote_ident(current_user) as role";
                sqlx::query(sql).bind(name)
            };
            for row in self.read(setting).await?.rows {
                let (set, role): (String, String) = (row.try_get("value")?, row.try_get("role")?);
                if set != *value {
                    lost.push(format!("alter role {role} set {name} = '{value}';"));
                }
            }
        }
        if !lost.is_empty() {
            tracing::warn!(
                "a pooler drops the settings of connections, so statements may be slow or have no time \
                 limit. Set them for the role, and let the pooler connect again: {}",
                lost.join(" ")
            );
        }
        Ok(())
    }

    /// Closes each connection that is open now, before its next use. Call it if the server can't be
    /// written: new connections may reach another server.
    pub fn retire_connections(&self) {
        lock(&self.0.failures).read_only = Some(Instant::now());
    }

    fn own_pool(&self) -> &PgPool {
        let shared = &*self.0;
        let own_pool = shared.own_pool.get_or_init(|| {
            let own_pool = open_pool(shared);
            let (closed, closing) = (shared.app_pool.close_event(), own_pool.clone());
            tokio::spawn(async move {
                closed.await;
                closing.close().await;
            });
            own_pool
        });
        // The app may change the password of its pool.
        let options = shared.app_pool.connect_options();
        let mut known = lock(&shared.options);
        let is_known = known
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &options));
        if !is_known {
            own_pool.set_connect_options(with_settings(&options, shared.layout));
            *known = Some(options);
        }
        own_pool
    }
}

/// The end of the time that a request waits for a server that can do its statement.
#[derive(Debug)]
pub struct Deadline {
    ends: tokio::time::Instant,
    has_failed: bool,
}

impl Deadline {
    /// Returns the deadline of a request that comes now.
    pub fn new(timeout: Duration) -> Self {
        Self::since(Instant::now(), timeout)
    }

    /// Returns the deadline of a request that came at `start`.
    pub fn since(start: Instant, timeout: Duration) -> Self {
        Self {
            ends: (start + timeout).into(),
            has_failed: false,
        }
    }

    /// Waits before another attempt. The first retry is immediate, because an idle connection has often been
    /// closed meanwhile; later ones wait 100 ms. Returns whether there is time for an attempt.
    pub async fn wait_to_retry(&mut self) -> bool {
        if std::mem::replace(&mut self.has_failed, true) {
            tokio::time::sleep(PAUSE).await;
        }
        tokio::time::Instant::now() < self.ends
    }
}

/// The answer to a statement.
#[derive(Debug, Default)]
pub struct Answer {
    /// The returned rows.
    pub rows: Vec<PgRow>,
    /// The number of changed rows.
    pub affected: u64,
}

async fn execute(connection: &mut PgConnection, query: PgQuery<'_>) -> sqlx::Result<Answer> {
    let mut answer = Answer::default();
    let mut parts = connection.fetch_many(query);
    while let Some(part) = parts.try_next().await? {
        match part {
            Either::Left(done) => answer.affected += done.rows_affected(),
            Either::Right(row) => answer.rows.push(row),
        }
    }
    Ok(answer)
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

fn open_pool(shared: &Shared) -> PgPool {
    let (app_pool, failures) = (&shared.app_pool, shared.failures.clone());
    let options = app_pool.options().clone();
    let connections = options.get_max_connections().max(6);
    options
        .min_connections(0)
        // Pushes and takes of flash messages may keep two each under load.
        .max_connections(connections)
        // A ping before each use would double the round trips.
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let check = lock(&failures).check_for(&meta);
            Box::pin(async move {
                Ok(match check {
                    Check::Use => true,
                    Check::Close => false,
                    Check::Ping => {
                        let ping = tokio::time::timeout(PING_TIMEOUT, connection.ping());
                        matches!(ping.await, Ok(Ok(())))
                    }
                })
            })
        })
        .connect_lazy_with(with_settings(&app_pool.connect_options(), shared.layout))
}

fn with_settings(options: &PgConnectOptions, layout: Layout) -> PgConnectOptions {
    options.clone().options(settings(layout).iter().copied())
}

const PLAIN: &[(&str, &str)] = &[
    ("statement_timeout", STATEMENT_TIMEOUT),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    // A bitmap scan doesn't mark index entries of deleted rows as dead. A plain index scan does.
    ("enable_bitmapscan", "off"),
];

const PARTITIONED: &[(&str, &str)] = &[
    PLAIN[0],
    PLAIN[1],
    PLAIN[2],
    PLAIN[3],
    // A generic plan counts the index lookups of all partitions, though it runs those of one. Other joins
    // looked cheaper to it, and read a whole partition of some hundred rows.
    ("enable_mergejoin", "off"),
    ("enable_hashjoin", "off"),
];

/// Returns the settings of our connections.
fn settings(layout: Layout) -> &'static [(&'static str, &'static str)] {
    match layout {
        Layout::Plain => PLAIN,
        Layout::Partitioned { .. } => PARTITIONED,
        // With a generic plan Citus can't tell which server has the shard.
        Layout::Citus { .. } => &[("statement_timeout", STATEMENT_TIMEOUT)],
    }
}

/// The check of an idle connection before its next use.
enum Check {
    Use,
    Ping,
    Close,
}

impl Failures {
    fn check_for(&self, meta: &PoolConnectionMetadata) -> Check {
        let now = Instant::now();
        let is_before = |ago: Duration, moment: Option<Instant>| {
            moment.is_some_and(|moment| now.checked_sub(ago).is_none_or(|then| then < moment))
        };
        if is_before(meta.age, self.read_only) {
            Check::Close
        } else if is_before(meta.idle_for, self.broken) {
            Check::Ping
        } else {
            Check::Use
        }
    }
}

/// A pooled connection. When it is dropped it goes back to its pool within 4 seconds. A broken one is
/// closed at once.
///
/// # Panics
/// A use after [`check`](Self::check) has closed it.
pub struct Connection {
    pooled: Option<PoolConnection<Postgres>>,
    failures: Arc<Mutex<Failures>>,
}

impl Connection {
    /// Returns the result of a statement unchanged. It closes the connection if the result says that
    /// the connection [is broken](is_broken).
    ///
    /// # Errors
    /// The result is an error.
    pub fn check<T>(&mut self, result: sqlx::Result<T>) -> sqlx::Result<T> {
        if let Err(error) = &result
            && is_broken(error)
        {
            let mut failures = lock(&self.failures);
            failures.broken = Some(Instant::now());
            if is_read_only(error) {
                failures.read_only = Some(Instant::now());
            }
            // A graceful close would wait for a server that may never answer.
            drop(self.pooled.take().map(PoolConnection::detach));
        }
        result
    }

    /// Closes the connection. Call it if the connection has settings or locks that other statements
    /// must not get.
    pub fn close(mut self) {
        drop(self.pooled.take().map(PoolConnection::detach));
    }

    /// Returns whether [`check`](Self::check) has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.pooled.is_none()
    }
}

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.pooled
            .as_deref()
            .expect("a broken connection is not used again")
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.pooled
            .as_deref_mut()
            .expect("a broken connection is not used again")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Without a runtime the program is at its end.
        if let (Some(mut pooled), Ok(runtime)) =
            (self.pooled.take(), tokio::runtime::Handle::try_current())
        {
            // sqlx pings it, and so reads the answer that a dropped future has not read.
            runtime.spawn(tokio::time::timeout(
                CLIENT_TIMEOUT,
                pooled.return_to_pool(),
            ));
        }
    }
}

/// Waits for a statement for up to 4 seconds, and returns its result.
///
/// # Errors
/// The statement fails, or takes longer. If it takes longer, it may still run in the database.
pub async fn with_timeout<T>(statement: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    (tokio::time::timeout(CLIENT_TIMEOUT, statement).await).map_err(late)?
}

/// Returns whether an error means that the connection can't be used again: it failed, or its server
/// stops or can't be written.
pub fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        // Class 08 is for connection exceptions. 57P01 to 57P03: the server stops or starts.
        sqlx::Error::Database(error) => {
            (error.code()).is_some_and(|code| code.starts_with("08") || code.starts_with("57P0"))
                || error.code().as_deref() == Some(READ_ONLY)
        }
        _ => false,
    }
}

/// Returns whether a statement may run again on another connection. Not after a timeout: the first one
/// may still run, and the time is over.
pub fn is_retryable(error: &sqlx::Error) -> bool {
    is_broken(error) && !is_timeout(error)
}

/// Returns whether the database may be reached in a moment.
fn is_transient(error: &sqlx::Error) -> bool {
    is_broken(error) || matches!(error, sqlx::Error::PoolTimedOut)
}

/// Returns whether the error may come from one of the rows that the statement writes. PostgreSQL refused
/// the statement, but not because of a timeout (57014) or a lock (55P03).
pub fn may_be_row_error(error: &sqlx::Error) -> bool {
    (error.as_database_error())
        .is_some_and(|error| !matches!(error.code().as_deref(), Some("57014" | "55P03")))
}

/// Returns whether this process stopped waiting for the statement. It may still run in the database.
pub fn is_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
}

/// The SQLSTATE read_only_sql_transaction. A primary that became a standby answers with it.
const READ_ONLY: &str = "25006";

fn is_read_only(error: &sqlx::Error) -> bool {
    (error.as_database_error()).is_some_and(|error| error.code().as_deref() == Some(READ_ONLY))
}

/// Returns the kind of an error, for a log. It leaves out the database's own words, which may contain
/// values.
pub fn describe(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => format!("PostgreSQL refused the statement, SQLSTATE {code}"),
            None => "PostgreSQL refused the statement".to_owned(),
        },
        sqlx::Error::Io(error) => format!("the connection failed: {}", error.kind()),
        sqlx::Error::PoolTimedOut => "no connection was to be had in time".to_owned(),
        sqlx::Error::PoolClosed => "the pool is closed".to_owned(),
        sqlx::Error::Tls(_) => "TLS failed".to_owned(),
        sqlx::Error::Configuration(error) => match error.downcast_ref::<OtherLayout>() {
            Some(error) => error.to_string(),
            None => "the connection options are wrong".to_owned(),
        },
        _ => "the answer could not be read".to_owned(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
