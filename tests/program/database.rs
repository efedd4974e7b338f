//! Faults of the database.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::watch;

use crate::app::{self, Result, Visitor, postgres, push_on};

const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

#[tokio::test]
async fn the_server_starts_before_its_database_and_is_ready_after_it() -> Result {
    let mut postgres = postgres("")?;
    postgres.stop();
    let app = app::start(&postgres.url, &[]).await?;
    app.answers("/readyz", UNAVAILABLE).await?;
    let visitor = Visitor::new(app.address);
    assert_eq!(visitor.get("/").await?.status(), StatusCode::OK);
    let failed = visitor.post_message("too early").await?;
    assert_eq!(failed.status(), UNAVAILABLE);
    assert!(failed.text().await?.contains("Please try again"));

    postgres.start_again()?;
    app.answers("/readyz", StatusCode::OK).await?;
    visitor.push("in time").await?;
    assert_eq!(visitor.messages("/").await?, ["in time"]);
    Ok(())
}

/// Scenario 19, for a database that is stopped and one that hangs.
#[tokio::test]
async fn while_the_database_is_away_pages_go_on_and_pushes_fail_visibly() -> Result {
    for hangs in [false, true] {
        let mut postgres = postgres("")?;
        let app = app::ready(&postgres.url).await?;
        let (visitor, stranger) = (Visitor::new(app.address), Visitor::new(app.address));
        assert_eq!(
            visitor.post_message("waits").await?.status(),
            StatusCode::SEE_OTHER
        );
        match hangs {
            true => postgres.pause()?,
            false => postgres.stop(),
        }

        let start = Instant::now();
        assert_eq!(stranger.get("/").await?.status(), StatusCode::OK);
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "without a session: {:?}",
            start.elapsed()
        );
        let start = Instant::now();
        assert_eq!(visitor.messages("/").await?, Vec::<String>::new());
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "with a session: {:?}",
            start.elapsed()
        );
        let start = Instant::now();
        let failed = visitor.post_message("lost, and said so").await?;
        assert_eq!(failed.status(), UNAVAILABLE);
        assert!(
            start.elapsed() < Duration::from_secs(6),
            "a push: {:?}",
            start.elapsed()
        );
        app.answers("/readyz", UNAVAILABLE).await?;

        match hangs {
            true => postgres.resume()?,
            false => postgres.start_again()?,
        }
        app.answers("/readyz", StatusCode::OK).await?;
        // What was under way when it hung may have been stored after all.
        assert!(visitor.messages("/").await?.contains(&"waits".to_owned()));
        assert_eq!(
            visitor.post_message("as before").await?.status(),
            StatusCode::SEE_OTHER
        );
        assert!(
            visitor
                .messages("/")
                .await?
                .contains(&"as before".to_owned())
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_page_does_not_wait_for_a_slow_database() -> Result {
    let postgres = postgres("")?;
    let app = app::ready(&postgres.url).await?;
    let visitor = Visitor::new(app.address);
    visitor.push("late").await?;
    let mut other = PgConnection::connect(&postgres.url).await?;
    let mut lock = other.begin().await?;
    lock.execute("lock table flash_message in access exclusive mode")
        .await?;
    let start = Instant::now();
    assert_eq!(visitor.messages("/").await?, Vec::<String>::new());
    assert!(start.elapsed() < Duration::from_secs(3));
    lock.rollback().await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(visitor.messages("/").await?, ["late"]);
    Ok(())
}

#[tokio::test]
async fn when_connections_run_out_pushes_fail_visibly_until_there_are_some() -> Result {
    let postgres = postgres("-c superuser_reserved_connections=0")?;
    let app = app::start(&postgres.url, &[("DATABASE_CONNECTIONS", "2")]).await?;
    app.answers("/readyz", StatusCode::OK).await?;
    let visitor = Visitor::new(app.address);
    visitor.push("kept").await?;
    // Ends the connections of the app, and lets nobody in again.
    let mut admin = PgConnection::connect(&postgres.url).await?;
    admin
        .execute("alter database postgres connection limit 0; alter role race nosuperuser")
        .await?;
    admin
        .execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'race-bib'")
        .await?;
    // The first use of a connection that has died fails at once, the others wait for a new one.
    for _ in 0..3 {
        assert_eq!(visitor.post_message("refused").await?.status(), UNAVAILABLE);
    }
    assert_eq!(visitor.get("/").await?.status(), StatusCode::OK);
    admin
        .execute("alter database postgres connection limit -1")
        .await?;
    app.answers("/readyz", StatusCode::OK).await?;
    assert_eq!(visitor.messages("/").await?, ["kept"]);
    Ok(())
}

/// Scenario 27.
#[tokio::test]
async fn a_database_that_is_killed_under_load_loses_no_push_that_was_acknowledged() -> Result {
    let mut postgres = postgres("")?;
    let app = app::ready(&postgres.url).await?;
    let (stop, stopping) = watch::channel(false);
    let mut pushing = Vec::new();
    for number in 0..8 {
        let visitor = Visitor::new(app.address);
        visitor.push("begin").await?;
        visitor.messages("/").await?;
        let name = format!("v{number}");
        let pushed = tokio::spawn(push_on(visitor.clone(), name, stopping.clone()));
        pushing.push((visitor, pushed));
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    postgres.kill()?;
    postgres.start_again()?;
    app.answers("/readyz", StatusCode::OK).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.send(true)?;
    let mut all = 0;
    for (visitor, pushed) in pushing {
        let acknowledged = pushed.await?;
        let shown = visitor.messages("/").await?;
        for text in &acknowledged {
            assert_eq!(
                shown.iter().filter(|shown| *shown == text).count(),
                1,
                "{text}"
            );
        }
        all += acknowledged.len();
    }
    assert!(all > 50, "{all} pushes are no load");
    Ok(())
}
