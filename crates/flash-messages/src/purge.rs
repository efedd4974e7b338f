//! Deletes what has expired, again and again.

use std::{convert::Infallible, time::Duration};

use uuid::Uuid;

use crate::store::MessageStore;

/// Deletes expired messages and sessions about every `period`, for as long as it is polled. Each
/// pause is half to one and a half times as long, so that instances that started together don't
/// purge together. Errors are logged, and it goes on.
pub async fn purge_every(period: Duration, store: &dyn MessageStore) -> Infallible {
    loop {
        tokio::time::sleep(period.mul_f64(0.5 + random())).await;
        metrics::counter!("flash_purges_total").increment(1);
        match store.delete_expired().await {
            Ok(messages) => {
                metrics::counter!("flash_expired_total").increment(messages);
                tracing::debug!(messages, "deleted expired flash messages and sessions");
            }
            Err(error) => {
                tracing::warn!(%error, "expired flash messages and sessions stay for now")
            }
        }
    }
}

/// 0 to 1.
fn random() -> f64 {
    f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
