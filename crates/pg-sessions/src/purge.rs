//! Deletes expired rows in batches, on one instance at a time.

use sqlx::Connection as _;

use crate::{
    database::{Database, Deadline, READ_TIMEOUT, with_timeout},
    layout::Layout,
};

/// A statement deletes at most this many rows.
const BATCH_SIZE: u64 = 1000;

/// Instances take turns by this advisory lock.
const TURN: i64 = -1_250_478_651;

/// Runs a statement that deletes up to 1,000 rows of a shard, again and again, until it deletes fewer;
/// then for the next shard. It stops early if another instance deletes. Returns the number of deleted
/// rows.
///
/// # Errors
/// A statement fails, or takes longer than 4 seconds. The other shards' rows are deleted nevertheless.
pub async fn delete_in_batches(
    database: &Database,
    layout: Layout,
    sql: &str,
) -> sqlx::Result<u64> {
    let (mut deleted, mut failure) = (0, None);
    for shard in layout.shards() {
        match delete_of_shard(database, sql, shard).await {
            Ok(Some(rows)) => deleted += rows,
            Ok(None) => break,
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(deleted), Err)
}

/// Returns the number of deleted rows, or `None` if another instance deletes.
async fn delete_of_shard(database: &Database, sql: &str, shard: i16) -> sqlx::Result<Option<u64>> {
    let mut deleted = 0;
    let mut connection = database
        .connection(&mut Deadline::new(READ_TIMEOUT))
        .await?;
    loop {
        let batch = with_timeout(async {
            let mut transaction = connection.begin().await?;
            let has_lock: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock($1)")
                .bind(TURN)
                .fetch_one(&mut *transaction)
                .await?;
            if !has_lock {
                return Ok(None);
            }
            let delete = sqlx::query(sql).bind(shard);
            match delete.execute(&mut *transaction).await {
                Ok(batch) => {
                    transaction.commit().await?;
                    Ok(Some(batch.rows_affected()))
                }
                Err(error) => {
                    // The next shard needs the lock now, perhaps on another connection. A rollback fails only
                    // with its connection, which releases the lock, too.
                    _ = transaction.rollback().await;
                    Err(error)
                }
            }
        })
        .await;
        let Some(batch) = connection.check(batch)? else {
            return Ok(None);
        };
        deleted += batch;
        if batch < BATCH_SIZE {
            return Ok(Some(deleted));
        }
    }
}
