//! Moves the idle ends of sessions in use, many sessions in one statement.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tower_sessions::session::Id;

use crate::{
    database::{Database, describe},
    layout::Layout,
};

/// A batch has the sessions of this time.
const BATCH_TIME: Duration = Duration::from_millis(100);

/// The SQL condition for a session in row `s` whose idle end should move: it has not moved for a
/// minute. `:idle` is the idle expiry in seconds, or null.
pub const NEEDS_TOUCH: &str = "coalesce(not s.renewed and s.expiry_date
    < least(s.ends_at, now() + :idle * interval '1 second') - interval '1 minute', false)";

/// The sessions that wait for their touch.
#[derive(Clone, Default)]
pub(crate) struct Touches(Arc<Mutex<HashSet<Id>>>);

/// The statement that touches many sessions of one shard, and where it runs.
#[derive(Clone)]
pub(crate) struct Touch {
    pub database: Database,
    pub layout: Layout,
    pub sql: String,
    /// The idle expiry in seconds.
    pub idle: Option<f64>,
}

impl Touches {
    /// Touches a session within 100 ms. If the statement fails, a later request of the session tries
    /// again.
    pub fn touch(&self, id: Id, touch: impl FnOnce() -> Touch) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(id);
        if waiting.len() == 1 {
            let (touches, touch) = (self.clone(), touch());
            tokio::spawn(async move {
                tokio::time::sleep(BATCH_TIME).await;
                touches.touch_all(&touch).await;
            });
        }
    }

    async fn touch_all(&self, touch: &Touch) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let of_shards = Layout::by_shard(waiting, |id| touch.layout.shard(id));
        for (shard, ids) in of_shards {
            let ids: Vec<_> = ids.iter().map(Id::to_string).collect();
            let statement = || {
                sqlx::query(&touch.sql)
                    .bind(touch.idle)
                    .bind(shard)
                    .bind(&ids)
            };
            if let Err(error) = touch.database.write(statement).await {
                tracing::warn!(
                    error = describe(&error),
                    "{} idle ends were not moved on",
                    ids.len()
                );
            }
        }
    }
}

impl fmt::Debug for Touches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Touches").finish_non_exhaustive()
    }
}
