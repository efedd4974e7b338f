//! Deletes expired messages and sessions periodically.

use std::{convert::Infallible, time::Duration};

use uuid::Uuid;

use crate::store::MessageStore;

/// Deletes expired messages and sessions about every `period`, as long as it is polled. It logs errors
/// and continues. Each pause lasts 0.5 to 1.5 periods: instances that start together should not purge
/// together.
pub async fn purge_every(period: Duration, store: &dyn MessageStore) -> Infallible {
    loop {
        tokio::time::sleep(period.mul_f64(0.5 + random_fraction())).await;
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

/// Returns a random number from 0 to 1.
fn random_fraction() -> f64 {
    f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
