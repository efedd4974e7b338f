//! When a session ends, and the batch that moves the idle ends of sessions in use on.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tower_sessions::session::Id;

use crate::database::{Database, describe};

const BATCH_TIME: Duration = Duration::from_millis(100);

/// Whether the idle end of the session in row `s` should move on, in SQL: it has not since a minute.
/// `:idle` is how many seconds a session may be idle, or null.
pub const NEEDS_TOUCH: &str = "coalesce(not s.renewed and s.expiry_date
    < least(s.ends_at, now() + make_interval(secs => :idle)) - interval '1 minute', false)";

/// The sessions that wait to be touched: all of 100 ms go in one statement.
#[derive(Clone, Default)]
pub(crate) struct Touches(Arc<Mutex<HashSet<Id>>>);

impl Touches {
    /// Touches a session soon, with the statement `sql` for many ids. If that fails, a later request
    /// of the session tries again.
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
