//! Deletes expired rows in batches, one instance at a time.

use sqlx::{Connection as _, Executor};

use crate::database::{Database, with_timeout};

/// Runs a statement that deletes up to 1,000 rows until it deletes fewer, or until another instance
/// is at it. Returns how many rows it deleted.
///
/// # Errors
/// A statement fails, or takes longer than 4 seconds.
pub async fn delete_in_batches(database: &Database, sql: &str) -> sqlx::Result<u64> {
    let mut deleted = 0;
    let mut connection = database.connection().await?;
    loop {
        let batch = with_timeout(async {
            let mut transaction = connection.begin().await?;
            let alone: bool = sqlx::query_scalar(
                "select pg_try_advisory_xact_lock(hashtext('leptos-flash purge'))",
            )
            .fetch_one(&mut *transaction)
            .await?;
            if !alone {
                return Ok(0);
            }
            let batch = transaction.execute(sql).await?.rows_affected();
            transaction.commit().await?;
            Ok(batch)
        })
        .await;
        let batch = connection.check(batch)?;
        deleted += batch;
        if batch < 1000 {
            return Ok(deleted);
        }
    }
}
