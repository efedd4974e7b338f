//! Limits, levels, keys, expiry, and a database that is away.

use std::time::Duration;

use flash_messages::{FlashStore, Level, store::MessageStore};
use sqlx::Executor;

use crate::support::{Database, Place, Result, Server, Visitor, call, sessions_in};

#[tokio::test]
async fn a_full_session_lets_the_oldest_of_the_lowest_level_give_way() -> Result {
    let five = |store: FlashStore| store.with_max_waiting(5);
    let server = Server::start_with(five).await?;
    let visitor = Visitor::new(server.address);
    for path in [
        "error/e1",
        "info/i1",
        "info/i2",
        "warning/w1",
        "success/s1",
        "info/i3",
        "error/e2",
    ] {
        visitor.post(&format!("/push/{path}")).await?;
    }
    assert_eq!(
        visitor.messages("/page").await?,
        ["e1", "w1", "s1", "i3", "e2"]
    );
    Ok(())
}

#[tokio::test]
async fn messages_of_answers_that_got_lost_count_when_they_wait_again() -> Result {
    let few = |store: FlashStore| {
        store
            .with_max_waiting(3)
            .with_lease(Duration::from_millis(50))
    };
    let server = Server::start_with(few).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("first").await?;
    call(&visitor, "times=5", "app").await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(visitor.post("/push/info/lesser").await?.status(), 429);
    assert_eq!(
        server.stored().await?,
        6,
        "who is refused makes nobody leave"
    );
    visitor.post("/push/error/last").await?;
    assert_eq!(server.stored().await?, 3);
    Ok(())
}

#[tokio::test]
async fn errors_do_not_give_way_to_lesser_messages() -> Result {
    let two = |store: FlashStore| store.with_max_waiting(2);
    let server = Server::start_with(two).await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/push/error/e1").await?;
    visitor.post("/push/error/e2").await?;
    let refused = visitor.post("/push/info/i1").await?;
    assert_eq!(refused.status(), 429);
    assert_eq!(
        refused.text().await?,
        "2 messages of a higher level are waiting to be seen."
    );
    visitor.post("/push/error/e3").await?;
    assert_eq!(visitor.messages("/page").await?, ["e2", "e3"]);
    Ok(())
}

#[tokio::test]
async fn messages_below_the_minimum_level_are_not_stored() -> Result {
    let warnings = |store: FlashStore| store.with_min_level(Level::Warning);
    let server = Server::start_with(warnings).await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/push/info/quiet").await?;
    visitor.post("/push/warning/loud").await?;
    assert_eq!(visitor.messages("/page").await?, ["loud"]);
    Ok(())
}

on_each_store!(bad_input_gets_a_clear_4xx_and_loses_nothing);
/// Scenarios 20 and 22.
async fn bad_input_gets_a_clear_4xx_and_loses_nothing(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("kept").await?;
    for (path, status, reason) in [
        ("info/%20", 422, "no text"),
        ("info/a%00b", 422, "NUL"),
        ("x%22%20onmouseover=%22/a", 422, "CSS class"),
        (
            &format!("info/{}", "x".repeat(3000)),
            413,
            "3000 bytes where 2048",
        ),
    ] {
        let refused = visitor.post(&format!("/push/{path}")).await?;
        assert_eq!(refused.status(), status, "{path}");
        assert!(refused.text().await?.contains(reason), "{path}");
    }
    assert_eq!(visitor.messages("/page").await?, ["kept"]);
    Ok(())
}

on_each_store!(a_second_message_with_the_same_key_replaces_the_first);
async fn a_second_message_with_the_same_key_replaces_the_first(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/keyed/queued").await?;
    visitor.push("other").await?;
    visitor.post("/keyed/half").await?;
    visitor.post("/keyed/done").await?;
    assert_eq!(visitor.messages("/page").await?, ["other", "done"]);
    visitor.post("/keyed/again").await?;
    assert_eq!(visitor.messages("/page").await?, ["again"]);
    Ok(())
}

#[tokio::test]
async fn an_expired_message_is_not_shown_and_deleted_in_batches() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("expired").await?;
    server
        .pool
        .execute(
            "update flash_message set expires_at = now() - interval '1 second';
             insert into flash_message (flash_key, level, rank, text, sticky, expires_at)
             select gen_random_uuid(), 'info', 0, 'old', false, now() - interval '1 hour'
             from generate_series(1, 2500)",
        )
        .await?;
    visitor.push("fresh").await?;
    assert_eq!(visitor.messages("/page").await?, ["fresh"]);
    assert_eq!(server.store.delete_expired().await?, 2501);
    Ok(())
}

/// Scenario 28.
#[tokio::test]
async fn the_purge_goes_on_after_an_error() -> Result {
    let server = Server::start().await?;
    let often = (server.flash.clone()).with_purge_period(Duration::from_millis(20));
    let purge = tokio::spawn(async move { often.run(std::future::pending::<()>()).await });
    server
        .pool
        .execute("alter table flash_message rename to away")
        .await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    server
        .pool
        .execute("alter table away rename to flash_message")
        .await?;
    let visitor = Visitor::new(server.address);
    visitor.push("expired").await?;
    server
        .pool
        .execute(
            "update flash_message set expires_at = now() - interval '1 second';
             update tower_sessions.session set expiry_date = now() - interval '1 second'",
        )
        .await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    purge.abort();
    assert_eq!((server.stored().await?, server.sessions().await?), (0, 0));
    Ok(())
}

/// Scenario 28.
#[tokio::test]
async fn one_instance_purges_at_a_time() -> Result {
    let server = Server::start().await?;
    server
        .pool
        .execute(
            "insert into flash_message (flash_key, level, rank, text, sticky, expires_at)
             select gen_random_uuid(), 'info', 0, 'old', false, now() - interval '1 hour'
             from generate_series(1, 5000)",
        )
        .await?;
    let mut other = server.pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock(hashtext('leptos-flash purge'))")
        .execute(&mut *other)
        .await?;
    assert_eq!(server.store.delete_expired().await?, 0);
    other.commit().await?;
    assert_eq!(server.store.delete_expired().await?, 5000);
    Ok(())
}

#[tokio::test]
async fn tables_can_have_other_names() -> Result {
    let database = Database::create().await?;
    let pool = database.connect().await?;
    let sessions = sessions_in(pool.clone()).with_table("race", "bib");
    let flash = FlashStore::new(sessions).with_table("race", "Flash \"notes\"");
    flash.migrate().await?;
    flash.migrate().await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class
         where relnamespace = 'race'::regnamespace and relkind in ('r', 'p') and not relispartition
         order by 1",
    )
    .fetch_all(&pool)
    .await?;
    assert_eq!(tables, ["Flash \"notes\"", "bib"]);
    Ok(())
}

/// The lease touches no index, and its page keeps room for it.
#[tokio::test]
async fn a_lease_is_a_hot_update() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    for number in 0..20 {
        visitor.push(&number.to_string()).await?;
        visitor.get("/peeks").await?.text().await?;
    }
    // Statistics reach the view when a connection has been idle for a while.
    let (mut updates, mut hot) = (0i64, 0i64);
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        (updates, hot) = sqlx::query_as(
            "select sum(n_tup_upd)::int8, sum(n_tup_hot_upd)::int8 from pg_stat_user_tables
             where relname like 'flash_message%'",
        )
        .fetch_one(&server.pool)
        .await?;
        if updates >= 400 {
            break;
        }
    }
    assert!(updates >= 400, "{updates} leases and returns");
    assert!(hot * 10 >= updates * 8, "{hot} of {updates} are HOT");
    Ok(())
}

/// Scenario 19: a page never fails because of messages; a push does, visibly.
#[tokio::test]
async fn without_its_table_pages_go_on_and_a_push_fails_visibly() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("kept").await?;
    server
        .pool
        .execute("alter table flash_message rename to away")
        .await?;
    let page = visitor.get("/page").await?;
    assert_eq!(page.status(), 200);
    let push = visitor.post("/push/info/lost").await?;
    assert_eq!(push.status(), 503);
    assert_eq!(
        push.text().await?,
        "Your message could not be stored. Please try again in a moment."
    );
    server
        .pool
        .execute("alter table away rename to flash_message")
        .await?;
    assert_eq!(visitor.messages("/page").await?, ["kept"]);
    Ok(())
}

#[tokio::test]
async fn a_slow_database_does_not_hold_a_page_for_long() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("kept").await?;
    let mut lock = server.pool.begin().await?;
    sqlx::query("lock table flash_message in access exclusive mode")
        .execute(&mut *lock)
        .await?;
    let page = visitor.get("/page");
    let page = tokio::time::timeout(Duration::from_secs(3), page).await??;
    assert_eq!(page.status(), 200);
    lock.commit().await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(visitor.messages("/page").await?, ["kept"]);
    Ok(())
}

#[tokio::test]
async fn a_missing_layer_names_its_cure() -> Result {
    use axum::{Router, body::Body, http::Request, routing::post};
    use flash_messages::{Flash, FlashError};
    use tower::ServiceExt;

    async fn push(flash: Flash) -> std::result::Result<(), FlashError> {
        flash.info("hello").await.map(drop)
    }
    let app: Router = Router::new().route("/", post(push));
    let response = app.oneshot(Request::post("/").body(Body::empty())?).await?;
    assert_eq!(response.status(), 500);
    assert!(
        FlashError::MissingLayer
            .to_string()
            .contains(".layer(FlashLayer::new(store, cookie))")
    );
    Ok(())
}
