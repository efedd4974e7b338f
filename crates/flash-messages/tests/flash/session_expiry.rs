//! When a session ends: after some time without a page, and at some age in any case.

use std::time::Duration;

use flash_messages::FlashStore;

use crate::support::{Database, HTML, Result, Server, Visitor, call, flash_layer, sessions_in};

const HOUR: i64 = 3600;

/// Sessions end after an hour without a page, and after 30 days.
async fn server() -> Result<Server> {
    let database = Database::create().await?;
    let pool = database.connect().await?;
    let sessions = sessions_in(pool.clone());
    let sessions = sessions.with_idle_expiry(Duration::from_secs(3600));
    let server = Server::start_on(pool, FlashStore::new(sessions), flash_layer).await?;
    Ok(server.with_database(database))
}

/// Seconds until the session ends, and until it ends at the latest.
async fn ends(server: &Server) -> Result<(i64, i64)> {
    // Sessions in use are touched in batches of 100 ms.
    tokio::time::sleep(Duration::from_millis(250)).await;
    let sql = "select extract(epoch from expiry_date - now())::int8, extract(epoch from ends_at - now())::int8
               from tower_sessions.session";
    Ok(sqlx::query_as(sql).fetch_one(&server.pool).await?)
}

async fn set_expiry(server: &Server, column: &str, seconds: i64) -> Result {
    let sql =
        format!("update tower_sessions.session set {column} = now() + make_interval(secs => $1)");
    sqlx::query(&sql)
        .bind(seconds as f64)
        .execute(&server.pool)
        .await?;
    Ok(())
}

fn is_about(seconds: i64, expected: i64) -> bool {
    (expected - 5..=expected).contains(&seconds)
}

#[tokio::test]
async fn a_page_moves_the_idle_end_on_once_a_minute_at_most() -> Result {
    let server = server().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    let (idle, latest) = ends(&server).await?;
    assert!(
        is_about(idle, HOUR) && is_about(latest, 30 * 24 * HOUR),
        "{idle} {latest}"
    );

    set_expiry(&server, "expiry_date", HOUR - 50).await?;
    visitor.messages("/page").await?;
    assert!(
        is_about(ends(&server).await?.0, HOUR - 50),
        "within the minute it stays"
    );
    set_expiry(&server, "expiry_date", HOUR - 70).await?;
    visitor.messages("/page").await?;
    assert!(is_about(ends(&server).await?.0, HOUR), "then it moves on");
    Ok(())
}

#[tokio::test]
async fn what_nobody_sees_does_not_keep_a_session_alive() -> Result {
    let server = server().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    set_expiry(&server, "expiry_date", 100).await?;
    visitor
        .get_with("/file.png", &[("accept", "image/png")])
        .await?;
    visitor
        .get_with("/page", &[HTML, ("sec-purpose", "prefetch")])
        .await?;
    visitor.get_with("/user", &[]).await?;
    assert!(is_about(ends(&server).await?.0, 100));
    Ok(())
}

#[tokio::test]
async fn a_session_ends_at_its_age_however_busy_it_is() -> Result {
    let server = server().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    set_expiry(&server, "ends_at", 200).await?;
    set_expiry(&server, "expiry_date", 100).await?;
    visitor.messages("/page").await?;
    assert!(is_about(ends(&server).await?.0, 200), "by a page");
    visitor.post("/slow-write").await?;
    let (idle, latest) = ends(&server).await?;
    assert!(is_about(idle, 200) && is_about(latest, 200), "by a change");
    Ok(())
}

#[tokio::test]
async fn a_renewed_id_makes_a_session_no_younger() -> Result {
    let server = server().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    let (_, latest) = ends(&server).await?;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    visitor.post("/login").await?;
    let (_, renewed) = ends(&server).await?;
    assert!(renewed <= latest - 2, "{renewed} {latest}");
    Ok(())
}

#[tokio::test]
async fn an_idle_session_is_over() -> Result {
    let server = server().await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/login").await?;
    set_expiry(&server, "expiry_date", -1).await?;
    assert_eq!(visitor.messages("/page").await?, Vec::<String>::new());
    assert_eq!(visitor.get_with("/user", &[]).await?.text().await?, "");
    visitor.push("a new one").await?;
    assert_eq!(visitor.messages("/page").await?, ["a new one"]);
    Ok(())
}

#[tokio::test]
async fn calls_and_forms_keep_a_session_alive() -> Result {
    let server = server().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    set_expiry(&server, "expiry_date", 100).await?;
    call(&visitor, "text=hello", "app").await?;
    assert!(is_about(ends(&server).await?.0, HOUR), "a call that pushes");
    set_expiry(&server, "expiry_date", 100).await?;
    let reads = visitor.request(reqwest::Method::GET, "/user");
    reads.header("x-flash", "app").send().await?;
    assert!(is_about(ends(&server).await?.0, HOUR), "a call that reads");
    set_expiry(&server, "expiry_date", 100).await?;
    visitor.push("again").await?;
    assert!(is_about(ends(&server).await?.0, HOUR), "a form");
    Ok(())
}
