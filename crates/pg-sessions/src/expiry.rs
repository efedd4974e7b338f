//! Moves the idle ends of sessions in use, many sessions in one statement.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tower_sessions::session::Id;

use crate::database::{Database, describe};

/// A batch has the sessions of this time.
const BATCH_TIME: Duration = Duration::from_millis(100);

/// The SQL condition for a session in row `s` whose idle end should move: it has not moved for a
/// minute. `:idle` is the idle expiry in seconds, or null.
pub const NEEDS_TOUCH: &str = "coalesce(not s.renewed and s.expiry_date
    < least(s.ends_at, now() + make_interval(secs => :idle)) - interval '1 minute', false)";

/// The sessions that wait for their touch.
#[derive(Clone, Default)]
pub(crate) struct Touches(Arc<Mutex<HashSet<Id>>>);

impl Touches {
    /// Touches a session within 100 ms. `sql` is a statement for many ids, `idle` is the idle expiry in
    /// seconds. If the statement fails, a later request of the session tries again.
    pub fn touch(&self, id: Id, idle: Option<f64>, database: &Database, sql: &str) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(id);
        if waiting.len() == 1 {
            let (touches, database, sql) = (self.clone(), database.clone(), sql.to_owned());
            tokio::spawn(async move {
                tokio::time::sleep(BATCH_TIME).await;
                touches.touch_all(idle, &database, &sql).await;
            });
        }
    }

    async fn touch_all(&self, idle: Option<f64>, database: &Database, sql: &str) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let ids: Vec<_> = waiting.iter().map(Id::to_string).collect();
        let touch = || sqlx::query(sql).bind(idle).bind(&ids);
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
