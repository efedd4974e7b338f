//! Signed cookies: several secrets, and none that is forged.

use flash_messages::{FlashLayer, FlashStore};
use sqlx::Executor;
use tower_sessions::cookie::Key;

use crate::support::{
    Database, HTML, Result, Server, Visitor, flash_layer, note, session_cookie, sessions_in,
};

/// A server whose first key signs, on a database that others may share.
async fn server(database: &Database, keys: Vec<Key>) -> Result<Server> {
    let pool = database.connect().await?;
    let store = FlashStore::new(sessions_in(pool.clone()));
    let layer = |store| flash_layer(store).with_secrets(keys.clone());
    Server::start_on(pool, store, layer).await
}

/// Scenario 25.
#[tokio::test]
async fn a_cookie_of_an_old_secret_is_good_and_is_signed_anew() -> Result {
    let database = Database::create().await?;
    let (old, new) = (Key::generate(), Key::generate());
    let before = server(&database, vec![old.clone()]).await?;
    let visitor = Visitor::new(before.address);
    visitor.post("/login").await?;
    visitor.messages("/page").await?;

    let rotating = server(&database, vec![new.clone(), old]).await?;
    let answer = visitor.at(rotating.address).get("/user").await?;
    let line = answer.headers()["set-cookie"].to_str()?.to_owned();
    assert!(
        line.starts_with("sessionId=") && line.contains("HttpOnly"),
        "{line}"
    );
    assert_eq!(answer.text().await?, "runner");
    let again = visitor.at(rotating.address).get("/user").await?;
    assert!(
        !again.headers().contains_key("set-cookie"),
        "once is enough"
    );

    let after = server(&database, vec![new]).await?;
    let user = visitor.at(after.address).get("/user").await?;
    assert_eq!(user.text().await?, "runner");
    Ok(())
}

#[tokio::test]
async fn other_cookies_survive_a_change_of_the_secret() -> Result {
    let database = Database::create().await?;
    let (old, new) = (Key::generate(), Key::generate());
    let before = server(&database, vec![old.clone()]).await?;
    let visitor = Visitor::new(before.address);
    let cookie = session_cookie(&visitor).await?;
    let rotating = server(&database, vec![new, old]).await?;
    let note = note(&rotating).await?;
    let both = visitor.with_fixed_cookie(&format!("{note}; {cookie}"))?;
    both.at(rotating.address).messages("/silent").await?;
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
    let database = Database::create().await?;
    let (old, new) = (Key::generate(), Key::generate());
    let before = server(&database, vec![old.clone()]).await?;
    let rotating = server(&database, vec![new, old]).await?;
    let [one, other] = [Visitor::new(before.address), Visitor::new(before.address)];
    let both = format!(
        "{}; {}",
        session_cookie(&one).await?,
        session_cookie(&other).await?
    );
    other.messages("/page").await?;
    for server in [&before, &rotating] {
        one.push("for one").await?;
        other.push("for the other").await?;
        let shown = one
            .with_fixed_cookie(&both)?
            .at(server.address)
            .messages("/page")
            .await?;
        assert_eq!(shown, ["for the other"]);
    }
    Ok(())
}

/// Scenario 15.
#[tokio::test]
async fn a_forged_cookie_costs_no_statement_and_gets_no_session() -> Result {
    let database = Database::create().await?;
    let server = server(&database, vec![Key::generate()]).await?;
    let visitor = Visitor::new(server.address);
    let signed = session_cookie(&visitor).await?;
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
        let stranger = visitor.with_fixed_cookie(&format!("sessionId={forged}"))?;
        let page = stranger.get("/page").await?;
        assert_eq!(page.status(), 200, "{forged}");
        assert!(!page.headers().contains_key("set-cookie"));
        assert_eq!(stranger.get("/user").await?.status(), 200);
    }
    Ok(())
}

/// Browsers refuse a `__Host-` cookie without `Secure`, its removal too (tower-sessions#268).
#[tokio::test]
async fn the_removal_of_the_cookie_has_its_own_attributes() -> Result {
    let database = Database::create().await?;
    let pool = database.connect().await?;
    let store = FlashStore::new(sessions_in(pool.clone()));
    let cookie = tower_sessions::cookie::Cookie::build("__Host-sessionId")
        .path("/")
        .secure(true)
        .http_only(true)
        .build();
    let layer = |store| FlashLayer::new(store, cookie.clone());
    let server = Server::start_on(pool, store, layer).await?;
    let visitor = Visitor::new(server.address);
    let cookie = session_cookie(&visitor).await?;
    let answer = visitor.with_fixed_cookie(&cookie)?.post("/leave").await?;
    let line = answer.headers()["set-cookie"].to_str()?;
    for part in [
        "__Host-sessionId=;",
        "Secure",
        "HttpOnly",
        "Path=/",
        "Max-Age=0",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    Ok(())
}

#[tokio::test]
async fn a_neighbours_cookie_that_is_not_ascii_does_not_matter() -> Result {
    let database = Database::create().await?;
    let server = server(&database, vec![Key::generate()]).await?;
    let visitor = Visitor::new(server.address);
    let cookie = session_cookie(&visitor).await?;
    for odd in [&b"x=J\xfcrgen"[..], "x=Jürgen".as_bytes()] {
        let line = [odd, b"; ", cookie.as_bytes()].concat();
        let page = reqwest::Client::new()
            .get(format!("http://{}/peeks", server.address))
            .header("cookie", reqwest::header::HeaderValue::from_bytes(&line)?)
            .header(HTML.0, HTML.1)
            .send()
            .await?;
        assert!(page.text().await?.contains(">cookie<"), "{line:?}");
    }
    Ok(())
}

#[tokio::test]
async fn of_two_cookies_of_a_name_a_forged_one_does_not_hide_the_good_one() -> Result {
    let database = Database::create().await?;
    let server = server(&database, vec![Key::generate()]).await?;
    let visitor = Visitor::new(server.address);
    let cookie = session_cookie(&visitor).await?;
    let both = visitor.with_fixed_cookie(&format!("{cookie}; sessionId=forged"))?;
    assert_eq!(both.messages("/page").await?, ["cookie"]);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_sets_the_cookie_is_stored_by_no_cache() -> Result {
    let database = Database::create().await?;
    let server = server(&database, vec![Key::generate()]).await?;
    let answer = Visitor::new(server.address)
        .post("/push/info/hello")
        .await?;
    assert!(answer.headers().contains_key("set-cookie"));
    assert_eq!(answer.headers()["cache-control"], "no-store");
    Ok(())
}
