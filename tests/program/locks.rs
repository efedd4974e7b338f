//! Locks on the tables: a backup's, a schema change's, a person's.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use sqlx::{Connection, Executor, PgConnection};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::app::{self, Result, Visitor, postgres, races};

#[tokio::test]
async fn an_instance_that_starts_during_a_backup_is_ready_and_stalls_no_other() -> Result {
    let postgres = postgres("")?;
    let first = app::ready(&postgres.url).await?;
    let mut backup = PgConnection::connect(&postgres.url).await?;
    let mut reading = backup.begin().await?;
    reading
        .execute("lock table flash_message, tower_sessions.session in access share mode")
        .await?;
    let (stop, stopping) = watch::channel(false);
    let load = tokio::spawn(slowest_request(Visitor::new(first.address), stopping));
    let second = app::start(&postgres.url, &[]).await?;
    let ready = timeout(
        Duration::from_secs(9),
        second.answers("/readyz", StatusCode::OK),
    )
    .await;
    _ = stop.send(true);
    reading.rollback().await?;
    let slowest = load.await??;
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    ready.map_err(|_| "the second instance waits for the backup")?
}

/// The same kind: here the second instance has something to do, and a transaction that writes is open.
#[tokio::test]
async fn an_instance_that_waits_for_a_lock_to_make_an_index_stalls_no_other() -> Result {
    let postgres = postgres("")?;
    let first = app::ready(&postgres.url).await?;
    let mut other = PgConnection::connect(&postgres.url).await?;
    const INDEX: &str = "select indexname from pg_indexes
        where tablename = 'flash_message' and indexdef like '%(expires_at)%'";
    let index: String = sqlx::query_scalar(INDEX).fetch_one(&mut other).await?;
    other.execute(&*format!("drop index {index}")).await?;
    let mut writing = other.begin().await?;
    (writing.execute("lock table flash_message in row exclusive mode")).await?;
    let (stop, stopping) = watch::channel(false);
    let load = tokio::spawn(slowest_request(Visitor::new(first.address), stopping));
    let second = app::start(&postgres.url, &[]).await?;
    sleep(Duration::from_secs(6)).await;
    _ = stop.send(true);
    let slowest = load.await??;
    writing.rollback().await?;
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    second.answers("/readyz", StatusCode::OK).await?;
    sqlx::query(INDEX).fetch_one(&mut other).await?;
    Ok(())
}

/// Pushes and looks until it is stopped. Returns the time of the slowest request.
async fn slowest_request(visitor: Visitor, stop: watch::Receiver<bool>) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    while !*stop.borrow() {
        let start = Instant::now();
        visitor.push("again").await?;
        slowest = slowest.max(start.elapsed());
        let start = Instant::now();
        let shown = visitor.messages("/").await?;
        slowest = slowest.max(start.elapsed());
        if shown != ["again"] {
            return Err(format!("after {slowest:?} at most, a page shows {shown:?}").into());
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(slowest)
}

/// The limits of a statement are some seconds: the locks are shorter and longer.
#[tokio::test]
async fn a_push_that_waits_for_a_lock_is_stored_if_and_only_if_it_is_acknowledged() -> Result {
    let postgres = postgres("")?;
    let app = app::ready(&postgres.url).await?;
    let visitor = Visitor::new(app.address);
    visitor.push("before").await?;
    let mut other = PgConnection::connect(&postgres.url).await?;
    for milliseconds in [2000, 3200, 4500] {
        let text = format!("locked for {milliseconds} ms");
        let mut lock = other.begin().await?;
        (lock.execute("lock table flash_message in access exclusive mode")).await?;
        let (pushing, pushed) = (visitor.clone(), text.clone());
        let pushing = tokio::spawn(async move { pushing.post_message(&pushed).await });
        sleep(Duration::from_millis(milliseconds)).await;
        lock.rollback().await?;
        let status = pushing.await??.status();
        settled(&mut other).await?;
        check(status, &text, &mut other).await?;
    }
    Ok(())
}

/// The same kind: the pushes wait for each other, too.
#[tokio::test]
async fn pushes_that_queue_for_a_lock_are_stored_if_and_only_if_they_are_acknowledged() -> Result {
    let postgres = postgres("")?;
    let app = app::ready(&postgres.url).await?;
    let mut visitors = Vec::new();
    for _ in 0..24 {
        let visitor = Visitor::new(app.address);
        visitor.push("before").await?;
        visitors.push(visitor);
    }
    let mut other = PgConnection::connect(&postgres.url).await?;
    let mut lock = other.begin().await?;
    (lock.execute("lock table flash_message in access exclusive mode")).await?;
    let mut pushes = JoinSet::new();
    for (number, visitor) in visitors.into_iter().enumerate() {
        let text = format!("number {number}");
        pushes.spawn(async move {
            let status = visitor.post_message(&text).await?.status();
            Result::Ok((status, text))
        });
        sleep(Duration::from_millis(250)).await;
    }
    lock.rollback().await?;
    let pushed = pushes.join_all().await;
    settled(&mut other).await?;
    for pushed in pushed {
        let (status, text) = pushed?;
        check(status, &text, &mut other).await?;
    }
    Ok(())
}

async fn check(status: StatusCode, text: &str, database: &mut PgConnection) -> Result {
    let stored: i64 = sqlx::query_scalar("select count(*) from flash_message where text = $1")
        .bind(text)
        .fetch_one(database)
        .await?;
    let is_right = matches!(
        (status, stored),
        (StatusCode::SEE_OTHER, 1) | (StatusCode::SERVICE_UNAVAILABLE, 0)
    );
    assert!(is_right, "{text}: {status}, and {stored} stored");
    Ok(())
}

/// The same kind, for sessions.
#[tokio::test]
async fn a_race_that_waits_for_a_lock_begins_if_and_only_if_it_is_acknowledged() -> Result {
    let postgres = postgres("")?;
    let app = app::ready(&postgres.url).await?;
    let mut other = PgConnection::connect(&postgres.url).await?;
    for milliseconds in [3200, 4500] {
        let visitor = Visitor::new(app.address);
        visitor.push("this begins a session").await?;
        let mut lock = other.begin().await?;
        // It stops writers alone.
        (lock.execute("lock table tower_sessions.session in share mode")).await?;
        let starting = visitor.clone();
        let starting = tokio::spawn(async move {
            starting
                .post_form("/api/start_race", &[("name", "Ada")])
                .await
        });
        sleep(Duration::from_millis(milliseconds)).await;
        lock.rollback().await?;
        let status = starting.await??.status();
        settled(&mut other).await?;
        let races = races(&visitor).await?;
        let is_right = matches!(
            (status, races),
            (StatusCode::SEE_OTHER, true) | (StatusCode::SERVICE_UNAVAILABLE, false)
        );
        assert!(is_right, "{milliseconds} ms: {status}, races: {races}");
    }
    Ok(())
}

/// Waits until PostgreSQL has done all that it was sent.
async fn settled(database: &mut PgConnection) -> Result {
    // A statement may be on its way still.
    sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    loop {
        let busy = database
            .fetch_optional(
                "select 1 from pg_stat_activity
                 where application_name = 'race-bib' and state <> 'idle'",
            )
            .await?;
        if busy.is_none() {
            return Ok(());
        }
        if start.elapsed() > Duration::from_secs(8) {
            return Err("a statement does not end".into());
        }
        sleep(Duration::from_millis(50)).await;
    }
}
