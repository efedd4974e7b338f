//! Used: sessions whose idle end is due to move on, all of 100 ms in one statement.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{Row, postgres::PgRow};
use tower_sessions::session::Id;

use crate::{PostgresSessionStore, database::describe};

const BATCH_TIME: Duration = Duration::from_millis(100);

/// The idle end moves on once in this time at most.
const PERIOD: f64 = 60.0;

/// For a statement that reads the row `s` of a session: how many seconds are left to its end, and to
/// its latest end.
pub(crate) const TIMES: &str = "extract(epoch from s.expiry_date - now())::float8 as idle_left,
    extract(epoch from s.ends_at - now())::float8 as end_left,
    s.renewed";

/// When a session ends, as a statement with [`TIMES`] read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    idle_left: f64,
    left: Option<f64>,
    renewed: bool,
}

impl Times {
    pub fn of(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            idle_left: row.try_get("idle_left")?,
            left: row.try_get("end_left")?,
            renewed: row.try_get("renewed")?,
        })
    }

    /// Whether a session that may be idle so long should move its end on.
    pub fn are_due(self, idle: Duration) -> bool {
        let end = idle.as_secs_f64().min(self.left.unwrap_or(f64::INFINITY));
        !self.renewed && self.idle_left < end - PERIOD
    }
}

/// The sessions that wait to be touched.
#[derive(Clone, Default)]
pub(crate) struct Touches(Arc<Mutex<HashSet<Id>>>);

impl Touches {
    /// Touches a session of `store` soon. If that fails, a later request of the session tries again.
    pub fn touch(&self, id: Id, store: &PostgresSessionStore) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(id);
        if waiting.len() == 1 {
            let (touches, store) = (self.clone(), store.clone());
            tokio::spawn(async move {
                tokio::time::sleep(BATCH_TIME).await;
                touches.touch_all(&store).await;
            });
        }
    }

    async fn touch_all(&self, store: &PostgresSessionStore) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let ids: Vec<_> = waiting.iter().map(Id::to_string).collect();
        if let Err(error) = store.touch_all(&ids).await {
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
