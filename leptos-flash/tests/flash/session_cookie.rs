//! Signed cookies: several secrets, and none that is forged.

use leptos_flash::{PostgresSessionStore, SessionCookieLayer};
use sqlx::Executor;
use tower_sessions::cookie::{Cookie, Key};

use crate::support::{HTML, Result, Server, Visitor, database, pool, session_layer};

/// A server whose first key signs, on a database that others may share.
async fn server(url: &str, keys: Vec<Key>) -> Result<Server> {
    let sessions = PostgresSessionStore::new(pool(url).await?);
    let layers = move |app: axum::Router, sessions| {
        let cookie = Cookie::build(("sessionId", ""))
            .path("/")
            .http_only(true)
            .build();
        app.layer(session_layer(sessions).with_signed(keys[0].clone()))
            .layer(SessionCookieLayer::new(cookie, keys.clone()))
    };
    Server::start_on(sessions, |store| store, layers).await
}

/// Scenario 25.
#[tokio::test]
async fn a_cookie_of_an_old_secret_is_good_and_is_signed_anew() -> Result {
    let url = database().await?;
    let (old, new) = (Key::generate(), Key::generate());
    let before = server(&url, vec![old.clone()]).await?;
    let visitor = Visitor::new(&before);
    visitor.post("/login").await?;
    visitor.page("/page").await?;

    let rotating = server(&url, vec![new.clone(), old]).await?;
    let answer = visitor.at(&rotating).get_with("/user", &[HTML]).await?;
    let line = answer.headers()["set-cookie"].to_str()?.to_owned();
    assert!(
        line.starts_with("sessionId=") && line.contains("HttpOnly"),
        "{line}"
    );
    assert_eq!(answer.text().await?, "runner");
    let again = visitor.at(&rotating).get_with("/user", &[HTML]).await?;
    assert!(
        !again.headers().contains_key("set-cookie"),
        "once is enough"
    );

    let after = server(&url, vec![new]).await?;
    let user = visitor.at(&after).get_with("/user", &[HTML]).await?;
    assert_eq!(user.text().await?, "runner");
    Ok(())
}

#[tokio::test]
async fn other_cookies_survive_a_change_of_the_secret() -> Result {
    let url = database().await?;
    let (old, new) = (Key::generate(), Key::generate());
    let before = server(&url, vec![old.clone()]).await?;
    let visitor = Visitor::new(&before);
    let cookie = visitor.cookie().await?;
    let rotating = server(&url, vec![new, old]).await?;
    let id = stored_id(&rotating).await?;
    let both = visitor.apart(&format!("flash-{id}=; {cookie}"))?;
    both.at(&rotating).page("/silent").await?;
    assert_eq!(
        rotating.stored().await?,
        0,
        "the note of what was shown has arrived"
    );
    Ok(())
}

#[tokio::test]
async fn the_last_of_two_cookies_of_a_name_counts_with_an_old_secret_and_with_a_new_one() -> Result
{
    let url = database().await?;
    let (old, new) = (Key::generate(), Key::generate());
    let before = server(&url, vec![old.clone()]).await?;
    let rotating = server(&url, vec![new, old]).await?;
    let [one, other] = [Visitor::new(&before), Visitor::new(&before)];
    let both = format!("{}; {}", one.cookie().await?, other.cookie().await?);
    other.page("/page").await?;
    for server in [&before, &rotating] {
        one.push("for one").await?;
        other.push("for the other").await?;
        let shown = one.apart(&both)?.at(server).page("/page").await?;
        assert_eq!(shown, ["for the other"]);
    }
    Ok(())
}

/// Scenario 15.
#[tokio::test]
async fn a_forged_cookie_costs_no_statement_and_gets_no_session() -> Result {
    let url = database().await?;
    let server = server(&url, vec![Key::generate()]).await?;
    let visitor = Visitor::new(&server);
    let signed = visitor.cookie().await?;
    let id = signed.get(signed.len() - 22..).ok_or("an id")?.to_owned();
    // A statement would fail, and be an error in the answer of /user.
    server
        .pool
        .execute("drop table tower_sessions.session cascade")
        .await?;
    let long = "x".repeat(4000);
    for forged in [
        "",
        "x",
        "%00",
        &id,
        &format!("{}{id}", "A".repeat(44)),
        &long,
        "\"",
        "=;=",
    ] {
        let stranger = visitor.apart(&format!("sessionId={forged}"))?;
        let page = stranger.get_with("/page", &[HTML]).await?;
        assert_eq!(page.status(), 200, "{forged}");
        assert!(!page.headers().contains_key("set-cookie"));
        assert_eq!(stranger.get_with("/user", &[HTML]).await?.status(), 200);
    }
    Ok(())
}

async fn stored_id(server: &Server) -> Result<i64> {
    Ok(sqlx::query_scalar("select id from flash_message")
        .fetch_one(&server.pool)
        .await?)
}
