//! Deletes expired messages and sessions, again and again.

use std::time::Duration;

use pg_sessions::PostgresSessionStore;
use tower_sessions::ExpiredDeletion;
use uuid::Uuid;

use crate::postgres::FlashStore;

/// Deletes expired messages and sessions about every `period`, for as long as it is polled. Each
/// pause is half to one and a half times as long, so that instances that started together don't
/// purge together. Errors are logged, and it goes on.
///
/// ```no_run
/// # use flash_messages::{FlashStore, PostgresSessionStore, purge_every};
/// # fn example(flash_store: FlashStore, session_store: PostgresSessionStore) {
/// use std::time::Duration;
///
/// let period = Duration::from_secs(15 * 60);
/// tokio::spawn(purge_every(period, flash_store, session_store));
/// # }
/// ```
pub async fn purge_every(period: Duration, flash: FlashStore, sessions: PostgresSessionStore) {
    loop {
        tokio::time::sleep(period.mul_f64(0.5 + random())).await;
        metrics::counter!("flash_purges_total").increment(1);
        match flash.delete_expired().await {
            Ok(messages) => {
                metrics::counter!("flash_expired_total").increment(messages);
                tracing::debug!(messages, "deleted expired flash messages");
            }
            Err(error) => tracing::warn!(%error, "expired flash messages stay for now"),
        }
        if let Err(error) = sessions.delete_expired().await {
            tracing::warn!(%error, "expired sessions stay for now");
        }
    }
}

/// 0 to 1.
fn random() -> f64 {
    f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
