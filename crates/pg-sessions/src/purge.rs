//! Deletes expired rows in batches, on one instance at a time.

use sqlx::{Connection as _, Executor};

use crate::database::{Database, with_timeout};

/// A statement deletes at most this many rows.
const BATCH_SIZE: u64 = 1000;

/// Runs a statement that deletes up to 1,000 rows, again and again, until it deletes fewer. It stops
/// early if another instance deletes. Returns the number of deleted rows.
///
/// # Errors
/// A statement fails, or takes longer than 4 seconds.
pub async fn delete_in_batches(database: &Database, sql: &str) -> sqlx::Result<u64> {
    let mut deleted = 0;
    let mut connection = database.connection().await?;
    loop {
        let batch = with_timeout(async {
            let mut transaction = connection.begin().await?;
            let has_lock: bool = sqlx::query_scalar(
                "select pg_try_advisory_xact_lock(hashtext('leptos-flash purge'))",
            )
            .fetch_one(&mut *transaction)
            .await?;
            if !has_lock {
                return Ok(0);
            }
            let batch = transaction.execute(sql).await?.rows_affected();
            transaction.commit().await?;
            Ok(batch)
        })
        .await;
        let batch = connection.check(batch)?;
        deleted += batch;
        if batch < BATCH_SIZE {
            return Ok(deleted);
        }
    }
}
