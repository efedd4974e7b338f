//! Tries again until something has come about.

use std::time::{Duration, Instant};

use crate::Result;

/// Tries again until it succeeds. The last attempt begins before the limit is over.
pub async fn within<T>(limit: Duration, attempt: impl AsyncFn() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if start.elapsed() > limit => {
                return Err(format!("not within {limit:?}: {error}").into());
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
