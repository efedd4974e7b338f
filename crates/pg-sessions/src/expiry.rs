//! When a session ends, and the batch that moves the idle ends of sessions in use on.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{Row, postgres::PgRow};
use tower_sessions::session::Id;

use crate::database::{Database, describe};

const BATCH_TIME: Duration = Duration::from_millis(100);

/// The idle end moves on once in this time at most.
const PERIOD: f64 = 60.0;

/// For a statement that reads the row `s` of a session: how many seconds are left to its end, and to
/// its latest end.
pub const TIMES: &str = "extract(epoch from s.expiry_date - now())::float8 as idle_left,
    extract(epoch from s.ends_at - now())::float8 as end_left,
    s.renewed";

/// When a session ends, as it was read with the session.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// How many seconds are left to its end.
    pub(crate) idle_left: f64,
    /// How many seconds are left to its latest end.
    pub(crate) left: Option<f64>,
    /// Whether the session has got another id.
    pub(crate) renewed: bool,
}

impl Times {
    /// Reads the columns of [`TIMES`].
    ///
    /// # Errors
    /// The row lacks one.
    pub fn of(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            idle_left: row.try_get("idle_left")?,
            left: row.try_get("end_left")?,
            renewed: row.try_get("renewed")?,
        })
    }

    /// Returns whether a session that may be idle so long should move its end on.
    pub(crate) fn are_due(self, idle: Duration) -> bool {
        let end = idle.as_secs_f64().min(self.left.unwrap_or(f64::INFINITY));
        !self.renewed && self.idle_left < end - PERIOD
    }
}

/// The sessions that wait to be touched: all of 100 ms go in one statement.
#[derive(Clone, Default)]
pub(crate) struct Touches(Arc<Mutex<HashSet<Id>>>);

impl Touches {
    /// Touches a session soon, with the statement `sql` for many ids. If that fails, a later request
    /// of the session tries again.
    pub fn touch(&self, id: Id, database: &Database, sql: &str) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(id);
        if waiting.len() == 1 {
            let (touches, database, sql) = (self.clone(), database.clone(), sql.to_owned());
            tokio::spawn(async move {
                tokio::time::sleep(BATCH_TIME).await;
                touches.touch_all(&database, &sql).await;
            });
        }
    }

    async fn touch_all(&self, database: &Database, sql: &str) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let ids: Vec<_> = waiting.iter().map(Id::to_string).collect();
        let touch = || sqlx::query(sql).bind(&ids);
        if let Err(error) = database.run(touch).await {
            tracing::warn!(
                error = describe(&error),
                "{} idle ends were not moved on",
                ids.len()
            );
        }
    }
}

impl fmt::Debug for Touches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Touches").finish_non_exhaustive()
    }
}
