//! Connections to PostgreSQL: each statement gets one that works, for a limited time.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use futures::TryStreamExt;
use sqlx::{
    Connection as _, Either, Executor, PgConnection, PgPool, Postgres,
    pool::{PoolConnection, PoolConnectionMetadata},
    postgres::{PgArguments, PgConnectOptions, PgRow},
    query::Query,
};

/// The limit of a statement, in the database. What it cancels has not happened.
const STATEMENT_TIMEOUT: &str = "3s";

/// The limit of a statement, here: for a server that hangs, or whose network is gone. It is longer
/// than [`STATEMENT_TIMEOUT`], so that a slow statement is cancelled before it is given up.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a connection may take to prove that it works.
const PING_PATIENCE: Duration = Duration::from_millis(500);

/// A statement with its values.
pub type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// The database of a pool, by connections of our own with the options of that pool.
///
/// The pool of the app is left alone, for three reasons:
/// - our connections have planner settings that suit statements by key: PostgreSQL plans each once;
/// - a dropped connection of sqlx 0.8 is pinged without a limit (transact-rs/sqlx#4349), and a silent
///   one blocks its place in the pool for ever; ours has a limit;
/// - after a failure each idle connection is checked before its next use.
#[derive(Clone)]
pub struct Database(Arc<Shared>);

struct Shared {
    given: PgPool,
    own: OnceLock<PgPool>,
    /// The options of `given` that `own` has.
    options: Mutex<Option<Arc<PgConnectOptions>>>,
    suspicion: Arc<Mutex<Suspicion>>,
}

/// Which connections are not trusted any more.
#[derive(Default)]
struct Suspicion {
    /// Those last used before this moment are pinged: a connection has failed then.
    silent: Option<Instant>,
    /// Those opened before this moment are closed: their server would not write.
    read_only: Option<Instant>,
}

impl Database {
    /// Opens no connection yet.
    pub fn new(given: PgPool) -> Self {
        Self(Arc::new(Shared {
            given,
            own: OnceLock::new(),
            options: Mutex::default(),
            suspicion: Arc::default(),
        }))
    }

    /// The pool that the app gave.
    pub fn given(&self) -> &PgPool {
        &self.0.given
    }

    /// Returns a connection for one or more statements. Give each result to
    /// [`check`](Connection::check).
    ///
    /// # Errors
    /// The database can't be reached, or no connection is free in time.
    pub async fn connection(&self) -> sqlx::Result<Connection> {
        Ok(Connection {
            lent: Some(self.own().acquire().await?),
            suspicion: self.0.suspicion.clone(),
        })
    }

    /// Runs a statement that may run twice. It does, on a fresh connection, when the first one turns
    /// out to be broken.
    ///
    /// # Errors
    /// The statement fails, or takes longer than 4 seconds.
    pub async fn run<'q>(&self, query: impl Fn() -> PgQuery<'q>) -> sqlx::Result<Answer> {
        let mut attempts = 2;
        loop {
            attempts -= 1;
            let mut connection = self.connection().await?;
            let result = with_timeout(answer(&mut connection, query())).await;
            match connection.check(result) {
                Err(error) if attempts > 0 && is_broken(&error) && !is_timeout(&error) => {}
                result => return result,
            }
        }
    }

    /// Closes the connections that are open by now, each before its next use: their server can't be
    /// written.
    pub fn suspect(&self) {
        lock(&self.0.suspicion).read_only = Some(Instant::now());
    }

    fn own(&self) -> &PgPool {
        let shared = &*self.0;
        let own = shared.own.get_or_init(|| {
            let own = own_pool(&shared.given, shared.suspicion.clone());
            let (closed, closing) = (shared.given.close_event(), own.clone());
            tokio::spawn(async move {
                closed.await;
                closing.close().await;
            });
            own
        });
        // A password that was changed on the given pool counts for new connections here too.
        let options = shared.given.connect_options();
        let mut known = lock(&shared.options);
        if !known
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &options))
        {
            own.set_connect_options(with_settings(&options));
            *known = Some(options);
        }
        own
    }
}

/// What a statement answers.
#[derive(Debug, Default)]
pub struct Answer {
    /// The rows that it returns.
    pub rows: Vec<PgRow>,
    /// How many rows it changed.
    pub affected: u64,
}

async fn answer(connection: &mut PgConnection, query: PgQuery<'_>) -> sqlx::Result<Answer> {
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

fn own_pool(given: &PgPool, suspicion: Arc<Mutex<Suspicion>>) -> PgPool {
    let options = given.options().clone();
    let connections = options.get_max_connections().max(6);
    options
        .min_connections(0)
        // Two each are for pushes and for takes, which may keep them under load.
        .max_connections(connections)
        // A ping before each use would double the round trips.
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let verdict = lock(&suspicion).verdict(&meta);
            Box::pin(async move {
                Ok(match verdict {
                    Verdict::Use => true,
                    Verdict::Close => false,
                    Verdict::Ping => {
                        let ping = tokio::time::timeout(PING_PATIENCE, connection.ping());
                        matches!(ping.await, Ok(Ok(())))
                    }
                })
            })
        })
        .connect_lazy_with(with_settings(&given.connect_options()))
}

fn with_settings(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        // It doesn't mark index entries of deleted messages as dead, a plain index scan does.
        ("enable_bitmapscan", "off"),
        ("statement_timeout", STATEMENT_TIMEOUT),
    ])
}

enum Verdict {
    Use,
    Ping,
    Close,
}

impl Suspicion {
    fn verdict(&self, meta: &PoolConnectionMetadata) -> Verdict {
        let now = Instant::now();
        let is_before = |ago: Duration, moment: Option<Instant>| {
            moment.is_some_and(|moment| now.checked_sub(ago).is_none_or(|then| then < moment))
        };
        if is_before(meta.age, self.read_only) {
            Verdict::Close
        } else if is_before(meta.idle_for, self.silent) {
            Verdict::Ping
        } else {
            Verdict::Use
        }
    }
}

/// A connection that goes back to its pool within a limit, or is closed at once when it broke.
pub struct Connection {
    lent: Option<PoolConnection<Postgres>>,
    suspicion: Arc<Mutex<Suspicion>>,
}

impl Connection {
    /// Passes the result of a statement on, and closes the connection when the result says that it
    /// is of no use any more.
    ///
    /// # Errors
    /// Those of the result.
    pub fn check<T>(&mut self, result: sqlx::Result<T>) -> sqlx::Result<T> {
        if let Err(error) = &result
            && is_broken(error)
        {
            let mut suspicion = lock(&self.suspicion);
            suspicion.silent = Some(Instant::now());
            if is_read_only(error) {
                suspicion.read_only = Some(Instant::now());
            }
            // Dropped without a goodbye, which a silent connection would not hear.
            drop(self.lent.take().map(PoolConnection::detach));
        }
        result
    }

    /// Closes the connection: its session has settings or locks that no other statement should get.
    pub fn close(mut self) {
        drop(self.lent.take().map(PoolConnection::detach));
    }

    /// Returns whether [`check`](Self::check) has closed it.
    pub fn is_closed(&self) -> bool {
        self.lent.is_none()
    }
}

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.lent
            .as_deref()
            .expect("a connection that broke is not used again")
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.lent
            .as_deref_mut()
            .expect("a connection that broke is not used again")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Without a runtime the program is at its end.
        if let (Some(mut lent), Ok(runtime)) =
            (self.lent.take(), tokio::runtime::Handle::try_current())
        {
            // sqlx pings it, which also reads what a dropped future left unread.
            runtime.spawn(tokio::time::timeout(PATIENCE, lent.return_to_pool()));
        }
    }
}

/// Gives a statement up after 4 seconds.
///
/// # Errors
/// The statement fails, or takes longer.
pub async fn with_timeout<T>(statement: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    (tokio::time::timeout(PATIENCE, statement).await).map_err(late)?
}

/// Returns whether the connection is of no use any more, or its server does not write.
pub fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        // Class 08, connection exceptions; 57P01 to 57P03, the server stops or starts.
        sqlx::Error::Database(error) => {
            (error.code()).is_some_and(|code| code.starts_with("08") || code.starts_with("57P0"))
                || error.code().as_deref() == Some(READ_ONLY)
        }
        _ => false,
    }
}

/// Returns whether one of the rows that a statement writes may be at fault: it was refused, not cancelled
/// (57014) or short of a lock (55P03).
pub fn may_be_a_row(error: &sqlx::Error) -> bool {
    (error.as_database_error())
        .is_some_and(|error| !matches!(error.code().as_deref(), Some("57014" | "55P03")))
}

/// Returns whether the statement was given up here: it may still run there.
pub fn is_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
}

/// read_only_sql_transaction: a primary that became a standby.
const READ_ONLY: &str = "25006";

fn is_read_only(error: &sqlx::Error) -> bool {
    (error.as_database_error()).is_some_and(|error| error.code().as_deref() == Some(READ_ONLY))
}

/// Says what kind of error it is, without the database's own words: they may hold values.
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
        sqlx::Error::Configuration(_) => "the connection options are wrong".to_owned(),
        _ => "the answer could not be read".to_owned(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
